import { setTimeout as sleep } from "node:timers/promises";
import type { InputOf, Operation, OperationId, Operations, OutputOf } from "@benchtop/operations";
import { operations } from "@benchtop/operations";
import type { ErrorInfo } from "@benchtop/protocol";
import type { ModelServer } from "../../../test/model-server.ts";
import type { TestDaemon } from "./test-daemon.ts";

/** Calls one operation by REST; throws a `Refused` for anything but a success. */
export type Ask = <Id extends OperationId>(id: Id, input: InputOf<Operations[Id]>) => Promise<OutputOf<Operations[Id]>>;

export class Refused extends Error {
  readonly code: string;

  constructor({ message, error_code }: { message: string } & Pick<ErrorInfo, "error_code">) {
    super(message);
    this.code = error_code;
  }
}

/** A workspace, and how its people call. */
export interface Room {
  readonly workspaceId: string;
  readonly models: ModelServer;
  readonly ask: Ask;
  readonly upload: (content: string) => Promise<string>;
  /** Waits for the end of a run; its status. */
  readonly ended: (runId: string) => Promise<string>;
}

/** The operator in one workspace, by the header; or whoever the token is of. */
export function roomOf(daemon: () => TestDaemon, workspaceId: string, models: ModelServer, token?: string): Room {
  const send = async (path: string, init: RequestInit): Promise<string> => {
    const response = await daemon().fetch(path, {
      ...init,
      headers: { ...(init.headers as object), "benchtop-workspace": workspaceId },
      ...(token !== undefined && { token }),
    });
    const text = await response.text();
    if (response.ok) return text;
    throw new Refused((JSON.parse(text) as { error: { message: string } & Pick<ErrorInfo, "error_code"> }).error);
  };
  const ask: Ask = async (id, input) => {
    const { method, path: pattern, transfer } = operations[id] as Operation;
    const rest: Record<string, unknown> = { ...input };
    const path = pattern.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
      const value = String(rest[name]);
      delete rest[name];
      return encodeURIComponent(value);
    });
    if (method === "GET" || method === "DELETE") {
      const query = new URLSearchParams(
        Object.entries(rest).map(([name, value]): [string, string] => [name, String(value)]),
      );
      const text = await send(`${path}?${query.toString()}`, { method });
      return (transfer === undefined ? JSON.parse(text) : text) as never;
    }
    const headers = { "content-type": "application/json" };
    return JSON.parse(await send(path, { method, headers, body: JSON.stringify(rest) })) as never;
  };
  return {
    workspaceId,
    models,
    ask,
    async upload(content) {
      return (JSON.parse(await send("/api/v1/uploads", { method: "PUT", body: content })) as { sha256: string }).sha256;
    },
    async ended(runId) {
      for (;;) {
        const { status } = await ask("runs.get", { runId });
        if (status !== "pending") return status;
        await sleep(10);
      }
    },
  };
}

/** What a room has after `furnish`; the names of it are the same in every room. */
export interface Furnished {
  readonly word: string;
  readonly workbenchId: string;
  readonly sessionId: string;
  readonly checkpointId: string;
  readonly sha256: string;
  readonly runId: string;
  readonly evalRunId: string;
}

export const names = {
  provider: "loop",
  model: "loop/gpt-5.2",
  workbench: "Plans",
  conversation: "chat",
  suite: "quiz",
};

/** One of each thing, under the same names and around one word that no other room has. */
export async function furnish({ ask, upload, ended, models }: Room, word: string): Promise<Furnished> {
  const { provider: name, model } = names;
  await ask("providers.add", { name, kind: "openai-chat", baseUrl: models.url, local: true });
  const { workbenchId, sessionId } = await ask("workbenches.create", { name: names.workbench });
  const sha256 = await upload(`the file of ${word}`);
  await ask("files.add", { workbenchId, uploads: [{ path: "notes.txt", sha256 }] });
  const { checkpointId } = await ask("checkpoints.create", { workbenchId, message: word });
  const prompt = `remember ${word}`;
  const { runId } = await ask("runs.start", { model, prompt, sessionId: names.conversation });
  await ended(runId);
  await ask("runs.saveCheckpoint", { runId, seq: 0, name: "start" });
  const { runId: agentRun } = await ask("workshop.runAgent", { workbenchId, model, task: `look at ${word}` });
  await ended(agentRun);
  const { runId: evalRunId } = await ask("evals.run", { suite });
  await ended(evalRunId);
  return { word, workbenchId, sessionId, checkpointId, sha256, runId, evalRunId };
}

/** The same questions everywhere, so that an answer which another room got would do. */
export const suite = {
  name: names.suite,
  models: [names.model],
  prompt: "{{input}}",
  evaluators: [{ type: "exact" as const }],
  cases: [{ id: "one", input: "Paris", expected: "Paris" }],
};
