import type { Checkpoint, OperationId, Operation } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol";
import { benchOf, marks, noDraft, whole, type Asking, type Describe } from "./asking.ts";
import type { Question } from "./confirmation.ts";
import { askToPutItem, askToRegenerate, askToRemoveItem, askToUndo } from "./conversation-questions.ts";
import { askToDecide } from "./draft-questions.ts";
import { inWords, listed, quoted } from "./shown.ts";

/**
 * What a person is told before they confirm an operation: read from what is there, at the moment of asking. What could
 * become something else before they answer is pinned in the input, so that nothing is done but what they were told.
 */
export function questionOf(operation: Operation, asking: Asking): Promise<Question> {
  const describe = questions[operation.id as OperationId];
  return describe?.(asking) ?? Promise.resolve(anyQuestion(operation, asking));
}

export const questions: { readonly [Id in OperationId]?: Describe } = {
  "draft.publish": async ({ input, caller, signal }) => {
    const { workbenchId, name } = await benchOf(input, caller, signal);
    const { draft, changes } = await caller.call("review.getChangeSet", { workbenchId }, signal);
    if (!draft.exists || draft.draftId === null) throw noDraft("publish");
    const { added, modified, deleted } = draft.counts;
    return {
      title: `Publish the Draft of the workbench ${quoted(name)} (revision ${draft.revision})?`,
      lines: [
        `${added} added, ${modified} modified, ${deleted} deleted:`,
        ...listed(changes.map(({ path, change }) => `${marks[change]} ${inWords(path)}`)),
        ...(typeof input["message"] === "string" ? [`With the message ${quoted(input["message"])}`] : []),
        "The published files change at once. A checkpoint keeps what is there now.",
      ],
      pinned: { ...input, workbenchId, draftId: draft.draftId, revision: draft.revision },
    };
  },
  "draft.decide": askToDecide,
  "workshop.undoToMessage": askToUndo,
  "workshop.regenerate": askToRegenerate,
  "contextItems.put": askToPutItem,
  "contextItems.remove": askToRemoveItem,
  "draft.confirmDeletions": async ({ input, caller, signal }) => {
    const { workbenchId, name } = await benchOf(input, caller, signal);
    return {
      title: `Confirm that the Draft of ${quoted(name)} deletes these files?`,
      lines: [
        ...listed(texts(input["paths"]).map((path) => `- ${inWords(path)}`)),
        "They go when the Draft is published.",
      ],
      pinned: { ...input, workbenchId },
    };
  },
  "draft.discard": async ({ input, caller, signal }) => {
    const { workbenchId, name } = await benchOf(input, caller, signal);
    const { draft, changes } = await caller.call("review.getChangeSet", { workbenchId }, signal);
    if (!draft.exists || draft.draftId === null) throw noDraft("discard");
    return {
      title: `Throw the Draft of the workbench ${quoted(name)} away?`,
      lines: [
        "These changes are lost:",
        ...listed(changes.map(({ path, change }) => `${marks[change]} ${inWords(path)}`)),
        "The published files stay as they are.",
      ],
      pinned: { ...input, workbenchId, draftId: draft.draftId },
    };
  },
  "checkpoints.restore": async (asking) => {
    const { input, caller, signal } = asking;
    const { workbenchId, name } = await benchOf(input, caller, signal);
    const checkpoint = await checkpointOf(asking, workbenchId);
    return {
      title: `Put the published files of ${quoted(name)} back to the checkpoint of ${checkpoint.createdAt}?`,
      lines: [
        checkpointInOneLine(checkpoint),
        "What is there now becomes a checkpoint first. The conversation goes back, too.",
      ],
      pinned: { ...input, workbenchId, checkpointId: checkpoint.checkpointId },
    };
  },
  "checkpoints.remove": async (asking) => {
    const { input, caller, signal } = asking;
    const { workbenchId, name } = await benchOf(input, caller, signal);
    const checkpoint = await checkpointOf(asking, workbenchId);
    return {
      title: `Remove the checkpoint of ${checkpoint.createdAt} of the workbench ${quoted(name)}?`,
      lines: [
        checkpointInOneLine(checkpoint),
        "It can then not be restored any more. The published files stay as they are.",
      ],
      pinned: { ...input, workbenchId, checkpointId: checkpoint.checkpointId },
    };
  },
  "files.add": async ({ input, caller, signal }) => {
    const { workbenchId, name } = await benchOf(input, caller, signal);
    const uploads = (input["uploads"] as { path: string; sha256: string }[]).map(
      ({ path, sha256 }) => `+ ${inWords(path)} (the upload ${sha256.slice(0, 12)}…)`,
    );
    return {
      title: `Add files to the published files of ${quoted(name)}?`,
      lines: [...listed(uploads), ...(input["replace"] === true ? ["Files of the same name are replaced."] : [])],
      pinned: { ...input, workbenchId },
    };
  },
  "files.remove": async ({ input, caller, signal }) => {
    const { workbenchId, name } = await benchOf(input, caller, signal);
    return {
      title: `Remove published files of ${quoted(name)}?`,
      lines: [
        ...listed(texts(input["workbenchPaths"]).map((path) => `- ${inWords(path)}`)),
        "A folder goes with all that is in it. A checkpoint is made first.",
      ],
      pinned: { ...input, workbenchId },
    };
  },
  "outsideChanges.resolve": async ({ input, caller, signal }) => {
    const { workbenchId, name } = await benchOf(input, caller, signal);
    const { items } = await caller.call("outsideChanges.list", { workbenchId }, signal);
    const adopts = input["strategy"] === "adopt";
    return {
      title: adopts
        ? `Take what another program did to the published files of ${quoted(name)}?`
        : `Undo what another program did to the published files of ${quoted(name)}?`,
      lines: [...listed(items.map(({ path, change }) => `${change}: ${inWords(path)}`)), "A checkpoint is made first."],
      pinned: { ...input, workbenchId },
    };
  },
  "workbenches.rename": async ({ input, caller, signal }) => {
    const { workbenchId, name } = await benchOf(input, caller, signal);
    return {
      title: `Rename the workbench ${quoted(name)} to ${quoted(String(input["name"]))}?`,
      lines: [],
      pinned: { ...input, workbenchId },
    };
  },
  "workbenches.delete": async ({ input, caller, signal }) => {
    const { workbenchId, name, fileCount, totalBytes } = await benchOf(input, caller, signal);
    return {
      title: `Delete the workbench ${quoted(name)}?`,
      lines: [`${fileCount} files (${totalBytes} bytes) and its checkpoints are gone for good.`],
      pinned: { ...input, workbenchId },
    };
  },
  "memory.set": async ({ input, caller, signal }) => {
    const { workbenchId, name } = await benchOf(input, caller, signal);
    return {
      title:
        input["enabled"] === true
          ? `Let the agents of ${quoted(name)} remember, in runs that start from now on?`
          : `Let the agents of ${quoted(name)} remember nothing more?`,
      lines: [],
      pinned: { ...input, workbenchId },
    };
  },
  "memory.forget": async ({ input, caller, signal }) => {
    const { workbenchId, name } = await benchOf(input, caller, signal);
    return {
      title: `Forget one thing that the agents of ${quoted(name)} remember?`,
      lines: [inWords(String(input["memoryId"]))],
      pinned: { ...input, workbenchId },
    };
  },
  "memory.clear": async ({ input, caller, signal }) => {
    const { workbenchId, name } = await benchOf(input, caller, signal);
    return {
      title: `Forget everything that the agents of ${quoted(name)} remember?`,
      lines: [],
      pinned: { ...input, workbenchId },
    };
  },
  "egress.revokeConsent": async ({ input, caller, signal }) => {
    const { workbenchId, name } = await benchOf(input, caller, signal);
    return {
      title: `Take back every consent of the workbench ${quoted(name)}?`,
      lines: ["Models elsewhere are asked nothing about it until you agree again."],
      pinned: { ...input, workbenchId },
    };
  },
  "runs.resume": async ({ input, caller, signal }) => {
    const run = await caller.call("runs.get", { runId: String(input["runId"]) }, signal);
    const { suspension } = run;
    if (suspension === null) {
      throw new BenchtopError("VALIDATION_FAILED", "This run does not wait for a decision.", { runId: run.runId });
    }
    const decision = typeof input["decision"] === "string" ? input["decision"] : "go on";
    return {
      title: `Decide “${decision}” for the run ${run.runId}?`,
      lines: [
        `It asks: ${inWords(suspension.question)}`,
        `The call: ${inWords(suspension.tool)} ${whole(JSON.stringify(suspension.arguments))}`,
        ...(typeof input["note"] === "string" ? [`The model is told: ${quoted(input["note"])}`] : []),
        ...(input["acceptChanges"] === true ? ["Although its instructions, tools or gates were changed since."] : []),
      ],
      pinned: input,
    };
  },
  "runs.undo": async ({ input, caller, signal }) => {
    const run = await caller.call("runs.get", { runId: String(input["runId"]) }, signal);
    const after = input["after"];
    return {
      title: `Take back what the run ${run.runId} changed in the Draft?`,
      lines: [quoted(run.title), ...(typeof after !== "number" ? [] : [`Its changes up to event ${after} stay.`])],
      pinned: input,
    };
  },
  "conversations.delete": async ({ input, caller, signal }) => {
    const conversation = await caller.call("conversations.get", { sessionId: String(input["sessionId"]) }, signal);
    return {
      title: `Delete the journals of all ${conversation.runs} runs of this conversation?`,
      lines: [
        `${quoted(conversation.title)}, since ${conversation.firstRunAt}. What they cost stays in the ledger.`,
        "Also those that a checkpoint or another run names.",
      ],
      pinned: input,
    };
  },
  "runs.delete": async ({ input, caller, signal }) => {
    const run = await caller.call("runs.get", { runId: String(input["runId"]) }, signal);
    return {
      title: `Delete the journal of the run ${run.runId}?`,
      lines: [
        `${quoted(run.title)}, ${run.eventCount} events, of ${run.startedAt}. What it cost stays in the ledger.`,
        ...(input["force"] === undefined ? [] : ["Although a checkpoint or another run names it."]),
      ],
      pinned: input,
    };
  },
  "runs.prune": async ({ input, caller, signal }) => {
    const before = String(input["before"]);
    const dry = await caller.call("runs.prune", { ...input, before, dryRun: true }, signal);
    return {
      title: `Delete the journals of ${dry.runs} runs that ended before ${before}?`,
      lines: [
        `${dry.events} events. ${dry.kept} runs stay, because something names them.`,
        ...(Array.isArray(input["kinds"])
          ? [`Only runs of these kinds: ${inWords(texts(input["kinds"]).join(", "))}`]
          : []),
        ...(input["force"] === true ? ["Also runs that a checkpoint or another run names."] : []),
      ],
      pinned: { ...input, before },
    };
  },
  "runs.removeCheckpoint": async ({ input }) => ({
    title: `Forget the point ${quoted(String(input["name"]))} of the run ${inWords(String(input["runId"]))}?`,
    lines: ["The run may then be removed with other old ones."],
    pinned: input,
  }),
};

function anyQuestion({ id, summary }: Operation, { input }: Asking): Question {
  return {
    title: `Run ${id}?`,
    lines: [inWords(summary), whole(JSON.stringify(input))],
    pinned: input,
  };
}

/** The one that is meant; the newest, where none is named. */
async function checkpointOf({ input, caller, signal }: Asking, workbenchId: string): Promise<Checkpoint> {
  const wanted = input["checkpointId"];
  let cursor: string | null = null;
  do {
    const page: CheckpointPage = await caller.call(
      "checkpoints.list",
      { workbenchId, limit: 1000, ...(cursor !== null && { cursor }) },
      signal,
    );
    const found = wanted === undefined ? page.items[0] : page.items.find(({ checkpointId }) => checkpointId === wanted);
    if (found !== undefined) return found;
    cursor = page.nextCursor;
  } while (cursor !== null);
  throw new BenchtopError("NOT_FOUND", "There is no such checkpoint.", { phase: "restore", workbenchId });
}

interface CheckpointPage {
  readonly items: readonly Checkpoint[];
  readonly nextCursor: string | null;
}

function checkpointInOneLine({ checkpointId, reason, fileCount, message }: Checkpoint): string {
  return `${checkpointId}, made for ${reason}, ${fileCount} files${message === null ? "" : `: ${quoted(message)}`}`;
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
