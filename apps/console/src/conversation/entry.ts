import type { ConversationEntry } from "@benchtop/operations";
import type { EventOf } from "@benchtop/protocol";

/** Somebody said something and a model answered; every other entry is what a person did in between. */
export function isTurn(entry: Pick<ConversationEntry, "kind">): boolean {
  return entry.kind === "agent" || entry.kind === "message";
}

/** What goes when a turn is taken back: it, all that came after it, and what they changed in the Draft. */
export interface TakenBack {
  /** The turn itself first. */
  readonly turns: readonly ConversationEntry[];
  /** The newest change of each file. */
  readonly files: ReadonlyMap<string, EventOf<"DraftChanged">["change"]>;
  /** Made by the first publish or restore that came after the turn, if one did: behind it only this checkpoint leads. */
  readonly checkpointId: string | undefined;
}

/** `entries`: oldest first. */
export function takenBack(entries: readonly ConversationEntry[], runId: string): TakenBack {
  const start = entries.findIndex((entry) => entry.runId === runId);
  const gone = start === -1 ? [] : entries.slice(start);
  const files = new Map<string, EventOf<"DraftChanged">["change"]>();
  for (const entry of gone) {
    for (const event of entry.events) if (event.type === "DraftChanged") files.set(event.path, event.change);
  }
  const published = gone.find(({ kind, status }) => (kind === "publish" || kind === "restore") && status === "success");
  const checkpoint = published?.events.find((event) => event.type === "CheckpointCreated");
  return { turns: gone.filter(isTurn), files, checkpointId: checkpoint?.checkpointId };
}

/** The model that the next turn of a conversation is asked of: that of its newest turn or switch. */
export function modelOf(entries: readonly ConversationEntry[]): string | undefined {
  return (
    entries.findLast((entry) => (isTurn(entry) || entry.kind === "switch-model") && entry.model !== null)?.model ??
    undefined
  );
}
