import { Dialog } from "../components/dialog.tsx";
import { commandKey, KeyCap } from "../components/key-cap.tsx";

const groups: readonly { readonly title: string; readonly keys: readonly (readonly [string, string])[] }[] = [
  {
    title: "Everywhere",
    keys: [
      [`${commandKey} K`, "Search and commands"],
      ["?", "This list"],
      ["g h", "Home"],
      ["g w", "Workbenches"],
      ["g r", "Runs"],
      ["g m", "Models"],
      ["g e", "Egress"],
      ["g i", "API"],
      ["g s", "Settings"],
      ["Esc", "Close what is open"],
    ],
  },
  {
    title: "Workbench",
    keys: [
      ["/", "Write to the agent"],
      ["Enter", "Send"],
      ["Shift Enter", "New line"],
      ["Esc", "Leave the text field"],
      ["r", "Open or close Review"],
    ],
  },
  {
    title: "Review",
    keys: [
      ["j / k", "Next / previous file"],
      ["n / p", "Next / previous change"],
      ["v", "Side by side or inline"],
      ["t", "Document, lines or bytes"],
      ["a", "Accept the file, or take that back; confirm a deletion"],
      ["x", "Reject the file (asks once)"],
      ["Shift A", "Accept the change"],
      ["Shift X", "Reject the change (asks once)"],
      ["e", "Edit the file"],
      ["Shift Enter", "Publish (asks once)"],
    ],
  },
  {
    title: "Run",
    keys: [
      ["j / k", "Next / previous event"],
      ["End", "Jump to now"],
    ],
  },
  { title: "Evaluation", keys: [["j / k", "Open the next / previous answer"]] },
  {
    title: "Playground",
    keys: [
      [`${commandKey} Enter`, "Ask every model"],
      ["← / →", "In a chart: read the previous / next step"],
    ],
  },
];

export function KeyList(props: { readonly open: boolean; readonly onClose: () => void }) {
  return (
    <Dialog open={props.open} onClose={props.onClose} title="Keys" wide>
      <div className="grid gap-x-8 gap-y-5 sm:grid-cols-2">
        {groups.map((group) => (
          <section key={group.title}>
            <h3 className="mb-1.5 text-sm font-semibold text-muted">{group.title}</h3>
            <dl>
              {group.keys.map(([keys, meaning]) => (
                <div key={keys} className="flex items-center justify-between py-1">
                  <dd>{meaning}</dd>
                  <dt className="flex gap-0.5">
                    {keys
                      .split(" ")
                      .map((key) => (key === "/" && keys !== "/" ? " / " : <KeyCap key={key}>{key}</KeyCap>))}
                  </dt>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
