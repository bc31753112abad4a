import { continued, runMessages } from "@benchtop/harness";
import type { Message, RunEvent, RunRecord, RunStatus } from "@benchtop/protocol";
import type { Store } from "@benchtop/store";
import { decodeCursor, encodeCursor, type Page, type PageInput } from "../../page.ts";
import { askedIn } from "../asked.ts";
import { journalOf } from "./journals.ts";
import { turnKinds, type Conversation, type Turns } from "./turns.ts";

/** What one run says in the conversation of a workbench; a view of its journal. */
export interface ConversationEntry {
  readonly runId: string;
  readonly kind: (typeof kinds)[number] | "other";
  readonly status: RunStatus;
  readonly startedAt: string;
  readonly task: string | null;
  readonly model: string | null;
  readonly outcome: "changes" | "no_changes" | null;
  readonly regenerates: string | null;
  readonly events: RunEvent[];
}

const kinds = ["agent", "message", "publish", "restore", "discard", "undo", "rewind", "switch-model"] as const;

/** Newest first. Refused repetitions of a run id, and runs whose journals were deleted, are no part of what was said. */
export async function conversation(
  store: Store,
  turns: Turns,
  place: Conversation,
  input: PageInput,
): Promise<Page<ConversationEntry>> {
  const [after] = decodeCursor(input.cursor, 1) ?? [];
  const from = after === undefined ? await turns.head(place) : after;
  const page = await turns.chain(place, from, input.limit);
  const items = await Promise.all(page.map(({ run_id }) => entryOf(store, run_id)));
  const next = page.length < input.limit ? null : (page.at(-1)?.previous_run_id ?? null);
  return {
    items: items.filter((entry) => entry !== undefined),
    nextCursor: next === null ? null : encodeCursor([next]),
  };
}

/** Undefined for a run that never began, or that was deleted. */
export async function entryOf(store: Store, runId: string): Promise<ConversationEntry | undefined> {
  const run = await store.ledger.get(runId);
  if (run === undefined) return undefined;
  const events = await journalOf(store, runId);
  const started = events[0];
  if (started?.type !== "RunStarted") return undefined;
  const asked = turnKinds.has(run.kind) ? askedIn(started.input) : undefined;
  return {
    runId,
    kind: kinds.find((kind) => kind === run.kind) ?? "other",
    status: run.status,
    startedAt: run.startedAt,
    task: asked?.text ?? null,
    model: started.model ?? null,
    outcome: outcomeOf(run, events),
    regenerates: asked?.regenerates ?? null,
    events,
  };
}

function outcomeOf({ kind, status }: RunRecord, events: readonly RunEvent[]): ConversationEntry["outcome"] {
  if (!turnKinds.has(kind) || status !== "success") return null;
  return events.some((event) => event.type === "DraftChanged") ? "changes" : "no_changes";
}

/** Runs that the model is reminded of. The harness trims what is still too long, and says so. */
const rememberedRuns = 20;

/** What the earlier turns of a conversation left of it, oldest first: what one of them dropped or summarised stays so. */
export async function historyOfTurns(
  store: Store,
  turns: Turns,
  place: Conversation,
  before: string | null,
  except: readonly string[],
): Promise<Message[]> {
  const earlier: string[] = [];
  for (let from = before; from !== null && earlier.length < rememberedRuns;) {
    const page = await turns.chain(place, from, rememberedRuns);
    for (const { run_id, kind } of page) {
      if (!turnKinds.has(kind) || except.includes(run_id) || earlier.length >= rememberedRuns) continue;
      // A turn that waits for a person has not been said to its end.
      if ((await store.ledger.get(run_id))?.status !== "pending") earlier.push(run_id);
    }
    from = page.at(-1)?.previous_run_id ?? null;
  }
  return await saidIn(store, place, earlier);
}

/** The same for bare prompts, which are one after the other in their ledger. */
export async function historyOfPrompts(
  store: Store,
  { workspaceId, sessionId }: Conversation,
  except: readonly string[],
): Promise<Message[]> {
  const limit = rememberedRuns + except.length;
  const { items } = await store.ledger.list({ workspaceId, sessionId, kind: "prompt", limit });
  const earlier = items.filter(
    (run) => !except.includes(run.runId) && run.status !== "replay" && run.status !== "pending",
  );
  return await saidIn(
    store,
    { workspaceId, sessionId },
    earlier.slice(0, rememberedRuns).map(({ runId }) => runId),
  );
}

async function saidIn(store: Store, place: Conversation, newestFirst: readonly string[]): Promise<Message[]> {
  const undone = await undoneRuns(store, place);
  let messages: readonly Message[] = [];
  for (const runId of newestFirst.toReversed()) {
    const said = runMessages(await journalOf(store, runId));
    // A question that nothing answers (no consent, no connection) would only be asked twice.
    if (!said.messages.some((message) => message.role === "assistant")) continue;
    messages = continued(messages, said);
    if (undone.has(runId)) messages = [...messages, { role: "user", content: undoneNote }];
  }
  return [...messages];
}

const undoneNote = "(I took back the changes to files that you made in that turn. The Draft no longer has them.)";

async function undoneRuns(store: Store, conversation: Conversation): Promise<ReadonlySet<string>> {
  const undone = { ...conversation, kind: "undo", status: "success", limit: rememberedRuns } as const;
  const { items } = await store.ledger.list(undone);
  return new Set(items.flatMap(({ parentRunId }) => (parentRunId === null ? [] : [parentRunId])));
}
