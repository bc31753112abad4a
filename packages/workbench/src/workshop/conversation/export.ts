import { runMessages } from "@benchtop/harness";
import type { EventOf, Json } from "@benchtop/protocol";
import type { Store } from "@benchtop/store";
import { entryOf, type ConversationEntry } from "./conversation.ts";
import type { Conversation, Turns } from "./turns.ts";

/**
 * A conversation as JSON Lines (one JSON object a line, UTF-8), oldest first. The first line says what it is; each other one is
 * an entry: a turn with what was asked, answered and changed, or what a person did in between. What was taken back is not in it.
 */
export async function exportConversation(
  store: Store,
  turns: Turns,
  place: Conversation,
  workbench: { readonly id: string; readonly name: string },
): Promise<Uint8Array> {
  const ids: string[] = [];
  for (let from = await turns.head(place); from !== null;) {
    const page = await turns.chain(place, from, 200);
    ids.push(...page.map(({ run_id }) => run_id));
    from = page.at(-1)?.previous_run_id ?? null;
  }
  const lines: Json[] = [
    { type: "conversation", version: 1, workbenchId: workbench.id, name: workbench.name, sessionId: place.sessionId },
  ];
  for (const runId of ids.toReversed()) {
    const entry = await entryOf(store, runId);
    if (entry) lines.push(lineOf(entry));
  }
  return Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
}

function lineOf(entry: ConversationEntry): Json {
  const { events, runId, kind, status, startedAt, task, model, outcome, regenerates } = entry;
  const completed = events.find((event): event is EventOf<"Completed"> => event.type === "Completed");
  const failed = events.find((event): event is EventOf<"Error"> => event.type === "Error");
  const changes = events.flatMap((event) =>
    event.type === "DraftChanged" ? [{ path: event.path, change: event.change, sha256: event.sha256 }] : [],
  );
  return {
    type: kind,
    runId,
    status,
    startedAt,
    ...(model !== null && { model }),
    ...(task !== null && { asked: task }),
    ...(regenerates !== null && { regenerates }),
    ...(outcome !== null && { outcome }),
    ...(completed && { answered: completed.output }),
    ...(failed && { error: failed.error.error_code }),
    ...(changes.length > 0 && { changes }),
    ...(task !== null && { messages: runMessages(events).messages as unknown as Json }),
  };
}
