import type { ContextItem, ConversationEntry } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol";
import { benchOf, marks, whole, type Asking, type Describe } from "./asking.ts";
import { inWords, listed, quoted } from "./shown.ts";

/** A turn that goes, and all that came after it: what was said, and what of the Draft goes with it. */
export const askToUndo: Describe = async (asking) => {
  const { input, caller, signal } = asking;
  const { workbenchId, name } = await benchOf(input, caller, signal);
  const runId = String(input["runId"]);
  const run = await caller.call("runs.get", { runId }, signal);
  if (run.workbenchId !== workbenchId) throw notInConversation(workbenchId);
  const removed = await turnsBackTo(asking, workbenchId, (entry) => entry.runId === runId);
  const count = removed.length === 1 ? "one turn" : `${removed.length} turns`;
  return {
    title: `Take ${count} out of the conversation of the workbench ${quoted(name)}?`,
    lines: [
      ...listed(removed.map(inOneLine)),
      ...(await draftGoesBack(asking, workbenchId, removed)),
      "The published files stay as they are.",
    ],
    pinned: { ...input, workbenchId },
  };
};

/** Asked again, the newest turn goes with what it changed. */
export const askToRegenerate: Describe = async (asking) => {
  const { input, caller, signal } = asking;
  const { workbenchId, name } = await benchOf(input, caller, signal);
  const removed = await turnsBackTo(asking, workbenchId, ({ kind }) => turnKinds.has(kind));
  const turn = removed.at(-1);
  const wanted = input["turnRunId"];
  if (turn === undefined || (wanted !== undefined && wanted !== turn.runId)) {
    throw new BenchtopError("VALIDATION_FAILED", "Only the newest turn can be asked again. Undo to this one first.", {
      phase: "workshop",
      workbenchId,
    });
  }
  const model = input["model"] ?? removed.find((entry) => entry.model !== null)?.model;
  return {
    title: `Take the newest turn in the conversation of the workbench ${quoted(name)} back, and ask it again?`,
    lines: [
      ...listed(removed.map(inOneLine)),
      ...(await draftGoesBack(asking, workbenchId, removed)),
      ...(typeof model === "string" ? [`Then ${inWords(model)} is asked. A model elsewhere needs your consent.`] : []),
      "The published files stay as they are.",
    ],
    pinned: { ...input, workbenchId, turnRunId: turn.runId, ...(typeof model === "string" && { model }) },
  };
};

/** Every agent is told it from then on, whoever asks: it is shown whole. */
export const askToPutItem: Describe = async ({ input, caller, signal }) => {
  const { workbenchId, name } = await benchOf(input, caller, signal);
  const { items } = await caller.call("contextItems.list", { workbenchId }, signal);
  const itemId = input["itemId"];
  const replaced = typeof itemId === "string" ? itemOf(items, workbenchId, itemId) : undefined;
  return {
    title: `Tell the agents of the workbench ${quoted(name)} this with every question?`,
    lines: [
      `${kinds[input["kind"] as ContextItem["kind"]]} ${quoted(String(input["title"]))}: ${whole(String(input["content"]))}`,
      ...(replaced === undefined ? [] : [`It takes the place of ${itemInOneLine(replaced)}, which is lost.`]),
      "Consents that were given are over: a model elsewhere needs a new one.",
    ],
    pinned: { ...input, workbenchId },
  };
};

export const askToRemoveItem: Describe = async ({ input, caller, signal }) => {
  const { workbenchId, name } = await benchOf(input, caller, signal);
  const { items } = await caller.call("contextItems.list", { workbenchId }, signal);
  const item = itemOf(items, workbenchId, String(input["itemId"]));
  return {
    title: `Tell the agents of the workbench ${quoted(name)} something no more?`,
    lines: [`${itemInOneLine(item)} is lost.`],
    pinned: { ...input, workbenchId },
  };
};

const turnKinds: ReadonlySet<string> = new Set(["agent", "message"]);
const kinds = { situation: "The situation", "style-guide": "The style guide", reference: "The reference" } as const;

/** From the newest down to the one that is looked for. Nobody is asked about what the operation would refuse. */
async function turnsBackTo(
  { caller, signal }: Asking,
  workbenchId: string,
  isLast: (entry: ConversationEntry) => boolean,
): Promise<readonly ConversationEntry[]> {
  const turns: ConversationEntry[] = [];
  let cursor: string | null = null;
  do {
    const input = { workbenchId, limit: 50, ...(cursor !== null && { cursor }) };
    const page: Page = await caller.call("workshop.conversation", input, signal);
    for (const entry of page.items) {
      turns.push(entry);
      if ((entry.kind === "publish" || entry.kind === "restore") && entry.status === "success") {
        throw new BenchtopError(
          "CONFLICT_PUBLISHED_CHANGED",
          "Files were published or restored after this. Restore the checkpoint to go back behind that.",
          { phase: "workshop", actions: ["restore_checkpoint"], workbenchId, runId: entry.runId },
        );
      }
      if (isLast(entry)) return turns;
    }
    cursor = page.nextCursor;
  } while (cursor !== null);
  throw notInConversation(workbenchId);
}

function notInConversation(workbenchId: string): BenchtopError {
  return new BenchtopError("NOT_FOUND", "This turn is not in the conversation, or was taken back already.", {
    phase: "workshop",
    workbenchId,
  });
}

interface Page {
  readonly items: readonly ConversationEntry[];
  readonly nextCursor: string | null;
}

function inOneLine({ kind, task, startedAt }: ConversationEntry): string {
  const what = turnKinds.has(kind) && task !== null ? quoted(task) : inWords(kind);
  return `${what}, of ${startedAt}`;
}

/** The files of the Draft that become what they were, and those of a person that go with them. */
async function draftGoesBack(
  { input, caller, signal }: Asking,
  workbenchId: string,
  removed: readonly ConversationEntry[],
): Promise<readonly string[]> {
  const { draft, changes } = await caller.call("review.getChangeSet", { workbenchId }, signal);
  if (!draft.exists) return ["There is no Draft: no file changes."];
  const ours = new Set(removed.map(({ runId }) => runId));
  const events = removed.flatMap((entry) => entry.events);
  const told = events.flatMap((event) => (event.type === "DraftChanged" ? [event.path] : []));
  const paths = [
    ...new Set([...told, ...changes.filter(({ runId }) => ours.has(runId ?? "")).map(({ path }) => path)]),
  ];
  const byOthers = changes.filter(({ runId }) => !ours.has(runId ?? ""));
  return [
    ...(paths.length === 0 ? ["They changed no file of the Draft."] : ["The Draft loses what they changed in:"]),
    ...listed(paths.map((path) => `~ ${inWords(path)}`)),
    ...(input["discardEdits"] === true && byOthers.length > 0
      ? [
          "And what you or others changed since in any of these:",
          ...listed(byOthers.map(({ path, change }) => `${marks[change]} ${inWords(path)}`)),
        ]
      : []),
  ];
}

function itemOf(items: readonly ContextItem[], workbenchId: string, itemId: string): ContextItem {
  const item = items.find((each) => each.itemId === itemId);
  if (item !== undefined) return item;
  throw new BenchtopError("NOT_FOUND", "There is no such context item in this workbench. List them again.", {
    phase: "workbench",
    workbenchId,
  });
}

/** With its time: another text is another item to be asked about. */
function itemInOneLine({ kind, title, content, updatedAt }: ContextItem): string {
  return `${kinds[kind].toLowerCase()} ${quoted(title)} (${content.length} characters, of ${updatedAt})`;
}
