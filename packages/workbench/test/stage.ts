import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { createEgress, type Egress, type EgressRecord } from "@benchtop/egress";
import { openSecrets, Providers } from "@benchtop/models";
import type { RunEvent } from "@benchtop/protocol";
import { Runs } from "@benchtop/runs";
import { openStore, type Store } from "@benchtop/store";
import { Workbenches, type Limits } from "../src/index.ts";
import { startScriptedModel, type ScriptedModel } from "./scripted-model.ts";

/** A whole daemon but for its sockets, in a folder of its own: real store, real gate, a real HTTP server as the model. */
export interface Stage extends AsyncDisposable {
  readonly home: string;
  /** A folder outside of `home`, for files that come and go. */
  readonly outside: string;
  readonly store: Store;
  readonly runs: Runs;
  readonly providers: Providers;
  readonly workbenches: Workbenches;
  readonly model: ScriptedModel;
  /** Every attempt to send anything. */
  readonly sent: EgressRecord[];
  /** Sends content to the first workspace, as a caller would; its sha256. */
  upload(content: string | Uint8Array): Promise<string>;
  published(workbenchId: string, path?: string): string;
  /** The journal of a run, whole, once it has ended. */
  journal(runId: string): Promise<RunEvent[]>;
  /** An agent run on the scripted model, waited for. */
  agent(workbenchId: string, task?: string): Promise<RunEvent[]>;
}

export async function openStage(options: { limits?: Partial<Limits>; root?: string } = {}): Promise<Stage> {
  const root = options.root ?? (await mkdtemp(join(tmpdir(), "benchtop-workbench-")));
  await mkdir(root, { recursive: true, mode: 0o700 });
  const home = join(root, "home");
  const store = await openStore({ home, soleOwner: true });
  const runs = new Runs({ store });
  const secrets = await openSecrets({ home, configDir: join(root, "config") });
  const sent: EgressRecord[] = [];
  let workbenches: Workbenches | undefined;
  let providers: Providers | undefined;
  const egress: Egress = createEgress({
    policy: (workspaceId) => ({ allowedHosts: providers?.allowedHosts(workspaceId) ?? new Map() }),
    consent: { isConsented: (question) => workbenches?.consent.isConsented(question) ?? false },
    record: (event) => sent.push(event),
  });
  providers = new Providers({ store, secrets, egress });
  const model = await startScriptedModel();
  await providers.add("default", { name: "local", kind: "openai-chat", baseUrl: model.baseUrl, local: true });
  await providers.add("default", {
    name: "far",
    kind: "openai-chat",
    baseUrl: "https://models.invalid/v1",
    apiKey: "key",
  });
  workbenches = new Workbenches({ store, runs, providers, home, ...(options.limits && { limits: options.limits }) });
  await workbenches.recover();
  await runs.recover((run) => workbenches.settle(run));

  const journal = async (runId: string): Promise<RunEvent[]> => {
    const events: RunEvent[] = [];
    for await (const event of store.journal.follow(runId)) events.push(event);
    return events;
  };
  return {
    home,
    outside: root,
    store,
    runs,
    providers,
    workbenches,
    model,
    sent,
    journal,
    async upload(content) {
      const whose = { userId: "someone", workspaceId: "default" };
      const sent = { content: Readable.from([Buffer.from(content)]), maxBytes: 1 << 30, ...whose };
      return (await workbenches.upload(sent)).sha256;
    },
    published: (workbenchId, path = "") => join(home, "workbenches", workbenchId, "published", path),
    agent: async (workbenchId, task = "do it") => {
      const { runId } = await workbenches.runAgent({ workbenchId, task, model: "local/scripted", userId: "someone" });
      return await journal(runId);
    },
    async [Symbol.asyncDispose]() {
      await runs.shutdown();
      await workbenches.close();
      await egress.close();
      await model.close();
      await store.close();
      if (options.root === undefined) await rm(root, { recursive: true, force: true });
    },
  };
}
