import type { ConversationEntry } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { query } from "../api/queries.ts";
import { RelativeTime } from "../components/relative-time.tsx";
import type { Turn } from "./turn.ts";

const titles: Readonly<Record<ConversationEntry["kind"], readonly [going: string, done: string, failed: string]>> = {
  agent: ["Working…", "Done", "Failed"],
  message: ["Answering…", "Answered", "Failed"],
  publish: ["Publishing…", "Published", "Publishing failed"],
  restore: ["Restoring…", "Restored", "Restoring failed"],
  discard: ["Discarding…", "Draft discarded", "Discarding failed"],
  undo: ["Undoing…", "Changes of a turn undone", "Undoing failed"],
  rewind: ["Going back…", "Went back", "Going back failed"],
  "switch-model": ["Switching the model…", "Switched the model", "Switching the model failed"],
  other: ["Running…", "Ran", "Failed"],
};

/** What a person did between two turns, as one quiet line with its facts. */
export function SystemRow(props: { readonly entry: ConversationEntry; readonly turn: Turn }) {
  const { entry, turn } = props;
  const [going, done, failed] = titles[entry.kind];
  const over = turn.status === "success" || turn.status === "error";
  return (
    <div className="flex items-center gap-2 text-sm text-muted">
      <span aria-hidden className="h-px w-4 shrink-0 bg-line-strong max-sm:hidden" />
      <p className="flex min-w-0 flex-wrap items-baseline gap-x-2">
        <span className="min-w-0 break-words">
          <span className="font-medium text-ink">{over ? (turn.status === "success" ? done : failed) : going}</span>
          {turn.status === "success" && <Fact entry={entry} turn={turn} />}
        </span>
        <RelativeTime at={entry.startedAt} className="text-faint" />
        <Link
          to="/runs/$runId"
          params={{ runId: entry.runId }}
          className="rounded-sm text-faint underline-offset-2 hover:text-ink hover:underline"
        >
          view run
        </Link>
      </p>
      <span aria-hidden className="h-px min-w-4 flex-1 bg-line" />
    </div>
  );
}

function Fact(props: { readonly entry: ConversationEntry; readonly turn: Turn }) {
  const { entry, turn } = props;
  switch (entry.kind) {
    case "switch-model": {
      const previous = turn.result["previous"] ?? turn.input["previous"];
      return (
        <>
          {" "}
          to <span className="font-mono text-xs text-ink">{entry.model}</span>
          {typeof previous === "string" && (
            <>
              {" "}
              from <span className="font-mono text-xs">{previous}</span>
            </>
          )}
        </>
      );
    }
    case "rewind":
      return <WentBack entry={entry} turn={turn} />;
    case "undo":
    case "other":
      return turn.output === undefined || turn.output === "" ? null : <>: {turn.output}</>;
    default:
      return null;
  }
}

/** The message that was taken back is no longer in the conversation; its run still knows it. */
function WentBack(props: { readonly entry: ConversationEntry; readonly turn: Turn }) {
  const to = props.turn.input["to"];
  const run = useQuery({
    ...query("runs.get", { runId: typeof to === "string" ? to : "" }),
    enabled: typeof to === "string",
    staleTime: Infinity,
  }).data;
  return (
    <>
      {run !== undefined && run.title !== "" && (
        <>
          {" "}
          to before <span className="text-ink">“{short(run.title)}”</span>
        </>
      )}
      {props.turn.output !== undefined && <>. {props.turn.output}</>}
    </>
  );
}

function short(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length <= 80 ? line : `${line.slice(0, 79)}…`;
}
