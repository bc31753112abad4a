import { startModelServer, type ModelServer } from "../../../../test/model-server.ts";
import { json, startTestDaemon, type TestDaemon } from "../test-daemon.ts";
import type { DaemonOptions } from "../../src/index.ts";

export interface Furnished extends AsyncDisposable {
  readonly daemon: TestDaemon;
  readonly models: ModelServer;
  /** A request of REST, as the operator. Throws what is not a success. */
  ask(method: string, path: string, body?: unknown): Promise<Record<string, unknown>>;
  /** A key with these scopes. */
  key(...scopes: string[]): Promise<{ readonly keyId: string; readonly secret: string }>;
  /** A workbench with files. */
  workbench(name: string, files: Readonly<Record<string, string>>): Promise<string>;
  /** An agent of the model server makes a Draft. */
  draft(workbenchId: string, task?: string): Promise<string>;
}

/** A daemon with a model on this machine (`loop/…`) and one elsewhere (`far/m`). */
export async function furnish(options: Partial<DaemonOptions> = {}): Promise<Furnished> {
  const models = await startModelServer({ apiKey: "sk-right" });
  const daemon = await startTestDaemon(options);
  const ask: Furnished["ask"] = async (method, path, body) => {
    const init = body === undefined ? { method } : { ...json(body), method };
    const response = await daemon.fetch(path, init);
    const answer = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
    return answer;
  };
  const provider = { kind: "openai-responses", baseUrl: models.url, apiKey: "sk-right", local: true };
  await ask("POST", "/api/v1/providers", { name: "loop", ...provider });
  await ask("POST", "/api/v1/providers", { name: "far", kind: "openai-chat", baseUrl: "https://models.example/v1" });
  return {
    daemon,
    models,
    ask,
    async key(...scopes) {
      const { key, secret } = await ask("POST", "/api/v1/keys", {
        name: `key ${scopes.join(" ").slice(0, 80)}`,
        scopes,
      });
      return { keyId: (key as { keyId: string }).keyId, secret: secret as string };
    },
    async workbench(name, files) {
      const { workbenchId } = (await ask("POST", "/api/v1/workbenches", { name })) as { workbenchId: string };
      const uploads = [];
      for (const [path, text] of Object.entries(files)) {
        const stored = await daemon.fetch("/api/v1/uploads", { method: "PUT", body: text });
        uploads.push({ path, sha256: ((await stored.json()) as { sha256: string }).sha256 });
      }
      if (uploads.length > 0) await ask("POST", `/api/v1/workbenches/${workbenchId}/files`, { uploads });
      return workbenchId;
    },
    async draft(workbenchId, task = "make the totals consistent and add a summary.md") {
      const started = await ask("POST", `/api/v1/workbenches/${workbenchId}/runs`, { model: "loop/gpt-5.2", task });
      const runId = started["runId"] as string;
      // The stream ends with the run.
      await (await daemon.fetch(`/api/v1/runs/${runId}/events`)).text();
      return runId;
    },
    async [Symbol.asyncDispose]() {
      await daemon[Symbol.asyncDispose]();
      await models.close();
    },
  };
}

export const budget = {
  "notes.md": "# Budget\n\nRent and food.\n",
  "data.csv": "item,amount\nrent,700\nfood,300\ntotal,900\n",
};
