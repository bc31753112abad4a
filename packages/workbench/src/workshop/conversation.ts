import { continued, runMessages } from "@benchtop/harness";
import type { Message, RunEvent, RunRecord, RunStatus } from "@benchtop/protocol";
import type { Store } from "@benchtop/store";
import type { Page, PageInput } from "../page.ts";
import { journalOf } from "./journals.ts";

/** What one run says in the conversation of a workbench; a view of its journal. */
export interface ConversationEntry {
  readonly runId: string;
  readonly kind: "agent" | "publish" | "restore" | "discard" | "other";
  readonly status: RunStatus;
  readonly startedAt: string;
  readonly task: string | null;
  readonly model: string | null;
  readonly events: RunEvent[];
}

/** A conversation is one of a workspace; the same id in another is another. */
export interface Conversation {
  readonly workspaceId: string;
  readonly sessionId: string;
}

/** Newest run first. Refused repetitions of a run id are no part of what was said. */
export async function conversation(
  store: Store,
  { workspaceId, sessionId }: Conversation,
  input: PageInput,
): Promise<Page<ConversationEntry>> {
  const page = await store.ledger.list({ workspaceId, sessionId, cursor: input.cursor, limit: input.limit });
  const runs = page.items.filter((run) => run.status !== "replay");
  const items = await Promise.all(runs.map(async (run) => entryOf(run, await journalOf(store, run.runId))));
  return { items, nextCursor: page.nextCursor };
}

function entryOf(run: RunRecord, events: RunEvent[]): ConversationEntry {
  const started = events.find((event) => event.type === "RunStarted");
  const { input, model } = started ?? {};
  const asked =
    typeof input === "object" && input !== null && !Array.isArray(input) ? (input["task"] ?? input["prompt"]) : null;
  return {
    runId: run.runId,
    kind: isKnown(run.kind) ? run.kind : "other",
    status: run.status,
    startedAt: run.startedAt,
    task: typeof asked === "string" ? asked : null,
    model: model ?? null,
    events,
  };
}

function isKnown(kind: string): kind is "agent" | "publish" | "restore" | "discard" {
  return ["agent", "publish", "restore", "discard"].includes(kind);
}

/** Runs that the model is reminded of. The harness trims what is still too long, and says so. */
const rememberedRuns = 20;

/** What the earlier runs of one kind in a conversation left of it, oldest first: what one of them dropped or summarised stays so. */
export async function history(
  store: Store,
  { workspaceId, sessionId }: Conversation,
  kind: "agent" | "prompt",
  except: readonly string[],
): Promise<Message[]> {
  const limit = rememberedRuns + except.length;
  const { items } = await store.ledger.list({ workspaceId, sessionId, kind, limit });
  const earlier = items.filter(
    (run) => !except.includes(run.runId) && run.status !== "replay" && run.status !== "pending",
  );
  const undone = await undoneRuns(store, { workspaceId, sessionId });
  let messages: readonly Message[] = [];
  for (const run of earlier.slice(0, rememberedRuns).toReversed()) {
    const said = runMessages(await journalOf(store, run.runId));
    // A question that nothing answers (no consent, no connection) would only be asked twice.
    if (!said.messages.some((message) => message.role === "assistant")) continue;
    messages = continued(messages, said);
    if (undone.has(run.runId)) messages = [...messages, { role: "user", content: undoneNote }];
  }
  return [...messages];
}

const undoneNote = "(I took back the changes to files that you made in that turn. The Draft no longer has them.)";

async function undoneRuns(store: Store, conversation: Conversation): Promise<ReadonlySet<string>> {
  const undone = { ...conversation, kind: "undo", status: "success", limit: rememberedRuns } as const;
  const { items } = await store.ledger.list(undone);
  return new Set(items.flatMap(({ parentRunId }) => (parentRunId === null ? [] : [parentRunId])));
}
