import type { ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import { createClient, type Client } from "../../packages/client/src/index.ts";
import { startModelServer } from "../model-server.ts";
import { readFileChanges, startFileTraced } from "./file-trace.ts";
import { canTrace, endTraced } from "./trace.ts";

/**
 * S5, from below: whatever the code says, the kernel knows which files it was asked to change. Below `published/` that happens in a
 * publish, a restore, and where a person adds, removes or resolves files, and at no other time.
 */
const root = resolve(import.meta.dirname, "../..");

/** Where a phase lies in time, seconds since 1970. */
interface Phase {
  readonly name: string;
  readonly mayWrite: boolean;
  readonly began: number;
  ended: number;
}

test.skipIf(!canTrace())(
  "S5 [needs strace] nothing below published changes but in a publish, a restore and what a person does to files",
  async () => {
    const folder = await realpath(await mkdtemp(join(tmpdir(), "benchtop-writes-")));
    await using open = new AsyncDisposableStack();
    open.defer(() => rm(folder, { recursive: true, force: true }));
    const models = open.use(await startModelServer());
    const { client, end } = await daemon(folder);
    open.defer(end);
    const phases: Phase[] = [];
    const phase = async <Result>(name: string, mayWrite: boolean, work: () => Promise<Result>): Promise<Result> => {
      const begun: Phase = { name, mayWrite, began: Date.now() / 1000, ended: Infinity };
      phases.push(begun);
      const result = await work();
      // What goes on afterwards, unasked, belongs to it.
      await wait(150);
      begun.ended = Date.now() / 1000;
      return result;
    };
    const reads = <Result>(name: string, work: () => Promise<Result>) => phase(name, false, work);
    const writes = <Result>(name: string, work: () => Promise<Result>) => phase(name, true, work);

    await client.call("providers.add", { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true });
    const { workbenchId } = await client.call("workbenches.create", { name: "budget" });
    const source = join(folder, "source");
    await mkdir(join(source, "sub"), { recursive: true });
    await writeFile(join(source, "data.csv"), "item,amount\nrent,700\nfood,300\ntotal,900\n");
    await writeFile(join(source, "sub/notes.txt"), "notes\n");
    await writes("adding from the machine", () => client.call("files.addFromHost", { workbenchId, sources: [source] }));
    const { sha256 } = await client.upload(new TextEncoder().encode("uploaded\n"));
    const uploads = [{ path: "up/loaded.txt", sha256 }];
    await writes("adding an upload", () => client.call("files.add", { workbenchId, uploads }));

    const model = "loop/gpt-5.2";
    const task = "make the totals consistent";
    const agent = async () => {
      const { runId } = await client.call("workshop.runAgent", { workbenchId, model, task });
      await finished(client, runId);
      return runId;
    };
    const runId = await reads("an agent that writes a Draft", agent);
    const [change] = await reads("Review", async () => {
      const { changes } = await client.call("review.getChangeSet", { workbenchId });
      for (const { path } of changes) await client.call("review.getTextDiff", { workbenchId, path });
      return changes;
    });
    const { path, sha256After } = change ?? { path: "", sha256After: null };
    await reads("deciding", async () => {
      const decisions = [{ path, sha256: sha256After, decision: "accept" as const }];
      await client.call("draft.decide", { workbenchId, decisions });
      await client.call("draft.decide", { workbenchId, decisions: [{ ...decisions[0]!, decision: "undecide" }] });
    });
    await reads("editing the Draft by hand", async () => {
      const { items } = await client.call("files.list", { workbenchId, side: "draft" });
      const seen = items.find((item) => item.path === "sub/notes.txt")?.sha256 ?? null;
      await client.call("draft.edit", { workbenchId, path: "sub/notes.txt", content: "by hand\n", sha256: seen });
    });
    await reads("discarding", () => client.call("draft.discard", { workbenchId }));
    await reads("replaying and undoing a run", async () => {
      await client.call("runs.replay", { runId });
      const again = await agent();
      await client.call("runs.undo", { runId: again });
    });
    await reads("talking", async () => {
      const { runId: turn } = await client.call("workshop.sendUserMessage", { workbenchId, model, message: task });
      await finished(client, turn);
      await client.call("workshop.conversation", { workbenchId });
      await client.call("workshop.context", { workbenchId, model });
      const { runId: newer } = await client.call("workshop.regenerate", { workbenchId, model, discardEdits: true });
      await finished(client, newer);
      await client.call("workshop.undoToMessage", { workbenchId, runId: newer, discardEdits: true });
      await client.call("workshop.switchModel", { workbenchId, model });
    });
    await reads("looking at files and at what others did", async () => {
      await client.call("files.list", { workbenchId });
      await client.call("files.origins", { workbenchId });
      await client.call("outsideChanges.list", { workbenchId });
      await (await client.download({ workbenchId, path: "data.csv" })).arrayBuffer();
    });
    await reads("a checkpoint by hand", async () => {
      const { checkpointId } = await client.call("checkpoints.create", { workbenchId });
      await client.call("checkpoints.remove", { workbenchId, checkpointId });
    });

    await reads("an agent before a publish", async () => {
      await client.call("draft.discard", { workbenchId });
      await agent();
    });
    await writes("publishing", () => client.call("draft.publish", { workbenchId }));
    await reads("taking files out, and writing them back", async () => {
      await client.call("files.extract", { workbenchId, destinationDir: join(folder, "out") });
      await client.call("files.writeBack", { workbenchId });
    });
    await writes("restoring", () => client.call("checkpoints.restore", { workbenchId }));
    await writes("removing", () => client.call("files.remove", { workbenchId, workbenchPaths: ["up"] }));
    const published = join(folder, "home/workbenches", workbenchId, "published");
    await writeFile(join(published, "theirs.txt"), "theirs\n");
    await writes("putting back what others changed", () =>
      client.call("outsideChanges.resolve", { workbenchId, strategy: "revert" }),
    );

    await end();
    const changes = readFileChanges(join(folder, "trace")).filter(({ paths }) =>
      paths.some((path) => [published, `${published}.next`, `${published}.old`].some((tree) => isIn(path, tree))),
    );
    const told = (some: typeof changes) => some.map(({ call, paths }) => `${call} ${paths.join(" ")}`);
    const found = phases.map(({ name, mayWrite, began, ended }) => {
      const here = told(changes.filter(({ at }) => at >= began && at <= ended));
      return [name, mayWrite ? here.length > 0 : here];
    });
    expect(found).toEqual(phases.map(({ name, mayWrite }) => [name, mayWrite ? true : []]));
    // Nor between two of them, but for the empty folder that a new workbench begins with.
    const between = changes.filter(({ at }) => !phases.some(({ began, ended }) => at >= began && at <= ended));
    const first = phases[0]?.began ?? 0;
    expect(told(between.filter(({ at }) => at > first))).toEqual([]);
    expect(
      readFileChanges(join(folder, "trace")).filter(({ paths }) => paths.some((path) => path.startsWith("?"))),
    ).toEqual([]);
  },
  180_000,
);

const isIn = (path: string, tree: string): boolean => path === tree || path.startsWith(`${tree}/`);

async function daemon(folder: string): Promise<{ client: Client; end: () => Promise<void> }> {
  const home = join(folder, "home");
  await mkdir(home, { mode: 0o700 });
  const child = startFileTraced(
    join(root, "apps/cli/src/main.ts"),
    ["up", "--json", "--no-open"],
    join(folder, "trace"),
    {
      cwd: folder,
      env: {
        PATH: process.env["PATH"],
        HOME: folder,
        XDG_CONFIG_HOME: join(folder, "config"),
        BENCHTOP_HOME: home,
        BENCHTOP_PORT: "0",
        NODE_COMPILE_CACHE: join(root, "node_modules/.cache/compiled"),
      },
    },
  );
  const { url, token, pid } = await started(child);
  let ending: Promise<void> | undefined;
  return { client: createClient({ url, token }), end: () => (ending ??= endTraced(child, pid)) };
}

async function started(child: ChildProcess): Promise<{ url: string; token: string; pid: number }> {
  let text = "";
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    if (text.includes("\n")) break;
  }
  child.stdout?.resume();
  return JSON.parse(text.split("\n")[0] ?? "") as { url: string; token: string; pid: number };
}

async function finished(client: Client, runId: string): Promise<void> {
  for await (const event of client.follow(runId)) {
    if (event.type === "Error") throw new Error(`${event.error.error_code}: ${event.error.message}`);
    if (event.type === "Completed") return;
  }
}
