import type { runOperations } from "@benchtop/operations";
import { BenchtopError, type EventOf, type RunRecord } from "@benchtop/protocol";
import type { Store } from "@benchtop/store";
import type { EventSource, HandlersOf } from "../api/handler.ts";
import { whoseOf } from "../identity/whose.ts";
import { chatMessages } from "./chat-messages.ts";
import type { Services } from "./services.ts";

export function runHandlers({ store, runs, workbenches }: Services): HandlersOf<typeof runOperations> {
  const { journal, ledger } = store;
  return {
    "runs.start": (input, { identity }) => workbenches.runPrompt({ ...input, ...whoseOf(identity) }),
    "runs.chat": async ({ messages, ...input }, { identity }) => {
      const { runId, traceId } = await workbenches.runChat({
        ...input,
        messages: chatMessages(messages),
        ...whoseOf(identity),
      });
      return { runId, traceId };
    },
    "runs.list": ({ waiting, questions = false, ...input }, { identity }) =>
      ledger.list({
        ...input,
        workspaceId: identity.workspaceId,
        ...(waiting === true && { suspended: true }),
        questions: questions || input.parentRunId !== undefined,
      }),
    "runs.get": ({ runId }) => findRun(store, runId),

    "runs.events": async ({ runId, after }, { lastEventId, signal }) => {
      const cursor = lastEventId === undefined ? (after ?? -1) : parseLastEventId(lastEventId);
      const run = await findRun(store, runId);
      const isOver = run.finishedAt !== null && cursor >= run.eventCount - 1;
      const read: EventSource["read"] = (options) => journal.followPages(runId, options, signal);
      return { after: cursor, events: isOver ? null : read({ after: cursor, limit: Infinity }), read };
    },
    "runs.eventPage": async ({ runId, after = -1, limit }) => {
      const items = await journal.read(runId, { after, limit });
      return { items, nextAfter: items.length < limit ? null : (items.at(-1)?.seq ?? null) };
    },
    "runs.artifact": async ({ runId, artifactId }) => {
      const { name, mediaType, sha256, bytes } = await findArtifact(store, runId, artifactId);
      return { fileName: name, mediaType, sha256, bytes, content: store.blobs.stream(sha256) };
    },
    "runs.verify": async ({ runId }) => {
      await findRun(store, runId);
      return journal.verify(runId);
    },

    "runs.resume": (input, { identity }) => workbenches.resume({ ...input, userId: identity.userId }),
    "runs.replay": ({ runId }, { identity }) => workbenches.replay({ runId, userId: identity.userId }),
    "runs.fork": (input, { identity }) => workbenches.fork({ ...input, userId: identity.userId }),
    "runs.undo": (input, { identity }) => workbenches.undo({ ...input, userId: identity.userId }),

    "runs.checkpoints": async ({ runId }) => {
      await findRun(store, runId);
      return { items: [...(await store.checkpoints.list(runId))] };
    },
    "runs.saveCheckpoint": (input, { identity }) => store.checkpoints.save({ ...input, userId: identity.userId }),
    "runs.removeCheckpoint": async ({ runId, name }) => {
      await findRun(store, runId);
      return { removed: await store.checkpoints.remove(runId, name) };
    },

    "runs.abort": async ({ runId, reason }) => ({ aborted: await runs.abort(runId, reason) }),
    "runs.hint": async ({ runId, text }, { identity }) => ({ accepted: await runs.hint(runId, text, identity.userId) }),
  };
}

async function findRun(store: Store, runId: string): Promise<RunRecord> {
  const run = await store.ledger.get(runId);
  if (run !== undefined) return run;
  throw new BenchtopError("NOT_FOUND", `There is no run ${runId}.`, { runId });
}

function parseLastEventId(text: string): number {
  if (/^(-1|\d{1,15})$/.test(text)) return Number(text);
  throw new BenchtopError("VALIDATION_FAILED", "Last-Event-ID must be the `seq` of an event.", {
    detail: { fields: ["Last-Event-ID"] },
  });
}

/** Artifacts are few and told by barriers, so the journal is read for them alone. */
async function findArtifact(store: Store, runId: string, artifactId: string): Promise<EventOf<"ArtifactWritten">> {
  const rows = await store.db
    .selectFrom("run_events")
    .select("body")
    .where("run_id", "=", runId)
    .where("type", "=", "ArtifactWritten")
    .execute();
  const events = rows.map(({ body }) => JSON.parse(body) as EventOf<"ArtifactWritten">);
  const found = events.find((event) => event.artifactId === artifactId);
  if (found) return found;
  throw new BenchtopError("NOT_FOUND", "This run left no such artifact.", { phase: "run", runId });
}
