import { differences } from "../examine.ts";
import { scriptedAdapter } from "../model-script.ts";
import { scriptedModel, startUp } from "../product.ts";
import type { Facts, Found, Scenario } from "../scenario.ts";
import {
  agentModel,
  draft,
  draftCalls,
  failuresSpeak,
  followed,
  furnish,
  trees,
  workbenchNamed,
  working,
} from "./furnished.ts";

const proposal = {
  name: "propose_changes",
  arguments: {
    summary: "Tidy up.",
    changes: [
      { path: "summary.md", action: "write", content: "Total: 2599\n" },
      { path: "data.csv", action: "edit", edits: [{ old_text: "1299", new_text: "1300" }] },
      { path: "reports/overview.md", action: "delete" },
    ],
  },
};
const proposingModel = scriptedAdapter([proposal]);

/** How many runs can be reached from the head of the only conversation, newest first, by their kinds. */
function saidIn(found: Found): string[] {
  return workbenchNamed(found, "budget").conversation.map((runId) => {
    const [first] = found.journals.get(runId) ?? [];
    return first?.type === "RunStarted" ? first.kind : "nothing";
  });
}

function completed(found: Found, kind: string): boolean {
  return [...found.journals.values()].some(
    (events) => events[0]?.type === "RunStarted" && events[0].kind === kind && events.at(-1)?.type === "Completed",
  );
}

export const proposed: Scenario = {
  name: "proposal",
  title: "a message whose proposal changes three files at once",
  faults: true,

  async prepare(home) {
    await using product = await startUp(home, proposingModel);
    return { workbenchId: await furnish(product, home) };
  },

  async act(home, facts, say) {
    await working(
      home,
      say,
      "message",
      async (product) => {
        const about = { workbenchId: String(facts["workbenchId"]), model: scriptedModel, userId: "owner" };
        const { runId } = await product.workbenches.sendUserMessage({ ...about, message: "tidy" });
        await followed(product, runId, say);
      },
      proposingModel,
    );
  },

  check(found) {
    const { published, draft: changes } = workbenchNamed(found, "budget");
    return [
      ...failuresSpeak(found),
      ...differences(trees.before, published).map((text) => `a message changed Published: ${text}`),
      ...(changes.size === 0 || changes.size === 3 ? [] : [`${changes.size} of 3 proposed changes are in the Draft`]),
    ];
  },
};

export const rewind: Scenario = {
  name: "rewind",
  title: "an undo to a message: the turn and its Draft go together",
  faults: true,

  async prepare(home) {
    await using product = await startUp(home, agentModel);
    const workbenchId = await furnish(product, home);
    await draft(product, workbenchId, false);
    const { items } = await product.workbenches.conversation({ workbenchId, limit: 1 });
    return { workbenchId, turn: items[0]?.runId ?? "" };
  },

  async act(home, facts, say) {
    await working(home, say, "rewind", (product) => product.workbenches.undoToMessage(undoOf(facts)));
  },

  check(found) {
    const workbench = workbenchNamed(found, "budget");
    const said = saidIn(found).filter((kind) => kind !== "nothing");
    const isTaken = !said.includes("agent");
    const violations = differences(trees.before, workbench.published);
    if (isTaken !== !workbench.hasDraft)
      violations.push(`the turn ${isTaken ? "went" : "stayed"}, and the Draft did not`);
    if (!isTaken && workbench.draft.size !== draftCalls.length) violations.push("a part of the Draft went");
    if (completed(found, "rewind") !== isTaken) violations.push("the rewind says otherwise than the conversation");
    return [...violations, ...failuresSpeak(found)];
  },

  async again({ workbenches }, _, facts) {
    const { draft: left } = await workbenches.undoToMessage(undoOf(facts));
    return left.exists ? ["the Draft is still there after another undo"] : [];
  },
};

function undoOf(facts: Facts) {
  return {
    workbenchId: String(facts["workbenchId"]),
    runId: String(facts["turn"]),
    discardEdits: false,
    userId: "owner",
  };
}
