import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect as connectTcp, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { RunEvent } from "@benchtop/protocol";
import { startDaemon, type Daemon } from "@benchtop/server";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../../../../test/model-server.ts";
import { connect, createClient, type Client, type LiveClient } from "../index.ts";

let folder: string;
let daemon: Daemon;
let models: ModelServer;
let client: Client;
const lives: LiveClient[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-live-"));
  models = await startModelServer();
  daemon = await startDaemon({
    home: join(folder, "home"),
    configDir: join(folder, "config"),
    port: 0,
    checkOutputs: true,
  });
  client = createClient(daemon);
  await client.call("providers.add", { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true });
});
afterAll(async () => {
  await daemon.close();
  await models.close();
  await rm(folder, { recursive: true, force: true });
});
afterEach(() => {
  for (const live of lives.splice(0)) live.close();
});

function open(url = daemon.url, token = daemon.token): LiveClient {
  const live = connect({ url, token });
  lives.push(live);
  return live;
}

async function collect(following: AsyncIterable<RunEvent>): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of following) events.push(event);
  return events;
}

async function finishedRun(): Promise<{ runId: string; events: RunEvent[] }> {
  const { runId } = await client.call("runs.start", { model: "loop/gpt-5.2", prompt: "say hello" });
  return { runId, events: await collect(client.follow(runId)) };
}

describe("calls", () => {
  test("H8 answers are those of REST, in camelCase, free-form parts untouched", async () => {
    const live = open();
    const { runId } = await finishedRun();
    for (const [id, input] of [
      ["identity.whoami", {}],
      ["runs.get", { runId }],
      ["runs.eventPage", { runId }],
    ] as const) {
      expect(await live.call(id, input)).toEqual(await client.call(id, input));
    }
    const { workbenchId } = await live.call("workbenches.create", { name: "over a socket" });
    expect(await client.call("workbenches.open", { workbenchId })).toMatchObject({ name: "over a socket" });
  });

  test("S9 failures are the errors that REST answers", async () => {
    const live = open();
    await expect(live.call("runs.get", { runId: "run_none" })).rejects.toMatchObject({
      code: "NOT_FOUND",
      info: { run_id: "run_none" },
    });
    await expect(live.call("workbenches.create", { name: "" })).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
  });

  test("a wrong token and a daemon that is away are told as over REST", async () => {
    await expect(open(daemon.url, "wrong").call("identity.whoami", {})).rejects.toMatchObject({
      code: "AUTH_REQUIRED",
    });
    await expect(collect(open(daemon.url, "wrong").follow("run_1"))).rejects.toMatchObject({ code: "AUTH_REQUIRED" });
    const away = open("http://127.0.0.1:9");
    await expect(away.call("identity.whoami", {}, { retry: false })).rejects.toMatchObject({
      code: "NETWORK_UNAVAILABLE",
      info: { subphase: "daemon_unreachable" },
    });
    await expect(collect(away.follow("run_1", { giveUpAfterMs: 50 }))).rejects.toMatchObject({
      code: "NETWORK_UNAVAILABLE",
    });
  });

  test("an aborted signal ends the wait", async () => {
    const live = open();
    await live.call("system.health", {});
    const abort = new AbortController();
    const call = live.call("system.status", {}, { signal: abort.signal });
    setImmediate(() => abort.abort());
    const outcome = await call.then(
      () => "answered",
      (thrown: { code: string }) => thrown.code,
    );
    expect(["answered", "USER_CANCELED"]).toContain(outcome);
    await expect(live.call("system.status", {}, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "USER_CANCELED",
    });
  });

  test("what goes on when the connection is closed by its owner is over, and a later call opens it again", async () => {
    const live = open();
    const { runId } = await client.call("runs.start", { model: "loop/slow", prompt: "say a lot, slowly" });
    const following = collect(live.follow(runId));
    await live.call("system.health", {});
    live.close();
    await expect(following).rejects.toMatchObject({ code: "USER_CANCELED" });
    expect(await live.call("system.health", {})).toMatchObject({ status: "ok" });
    await client.call("runs.abort", { runId });
  });

  test("S3 a publish tells how far it is", async () => {
    const live = open();
    const { workbenchId } = await live.call("workbenches.create", { name: "published" });
    const { sha256 } = await client.upload(new TextEncoder().encode("item,amount\nrent,700\n"));
    await live.call("files.add", { workbenchId, uploads: [{ path: "data.csv", sha256 }] });
    const task = "make the totals consistent and add a summary.md";
    const { runId } = await live.call("workshop.runAgent", { workbenchId, model: "loop/gpt-5.2", task });
    await collect(live.follow(runId));
    const phases: string[] = [];
    await live.call("draft.publish", { workbenchId }, { onProgress: ({ phase }) => phases.push(phase) });
    expect(phases[0]).toBe("validating");
    expect(phases.at(-1)).toBe("finalizing");
  });
});

describe("following", () => {
  test("H8 a run comes as over server-sent events, from its beginning and from any cursor", async () => {
    const { runId, events } = await finishedRun();
    const live = open();
    expect(await collect(live.follow(runId))).toEqual(events);
    expect(await collect(live.follow(runId, { after: 2 }))).toEqual(events.slice(3));
    expect(await collect(live.follow(runId, { after: events.length - 1 }))).toEqual([]);
    await expect(collect(live.follow("run_none"))).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("H8 two hundred followers of twenty runs share one connection, and each gets every event in order", async () => {
    const live = open();
    const runs = await Promise.all(
      Array.from({ length: 20 }, () => client.call("runs.start", { model: "loop/gpt-5.2", prompt: "say hello" })),
    );
    const followed = await Promise.all(
      runs.flatMap(({ runId }) => Array.from({ length: 10 }, () => collect(live.follow(runId)))),
    );
    for (const [place, { runId }] of runs.entries()) {
      const expected = (await client.call("runs.eventPage", { runId })).items;
      for (const events of followed.slice(place * 10, place * 10 + 10)) expect(events).toEqual(expected);
    }
  });

  test("a reader that takes its time misses nothing and holds nobody else up", async () => {
    const live = open();
    const { runId } = await client.call("runs.start", { model: "loop/slow", prompt: "say a lot, slowly" });
    const slow = live.follow(runId)[Symbol.asyncIterator]();
    const first = await slow.next();
    const fast = await collect(live.follow(runId));
    const rest: RunEvent[] = [];
    for (let next = await slow.next(); next.done !== true; next = await slow.next()) rest.push(next.value);
    expect([first.value as RunEvent, ...rest]).toEqual(fast);
  });

  test("a reader that stops early, or aborts, takes its stream with it and leaves the connection", async () => {
    const live = open();
    const { runId } = await client.call("runs.start", { model: "loop/slow", prompt: "say a lot, slowly" });
    for await (const event of live.follow(runId)) if (event.seq === 1) break;
    const abort = new AbortController();
    const heard: number[] = [];
    for await (const event of live.follow(runId, { signal: abort.signal })) {
      heard.push(event.seq);
      abort.abort();
    }
    expect(heard).toEqual([0]);
    expect(await live.call("system.health", {})).toMatchObject({ status: "ok" });
    await client.call("runs.abort", { runId });
  });
});

/** What lies between: hands bytes on, and cuts every connection after as many as the test says. */
class Unreliable implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  cutAfter = Infinity;
  cuts = 0;

  constructor(port: number) {
    this.#server = createServer((near) => {
      const far = connectTcp(port, "127.0.0.1");
      let passed = 0;
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on("error", () => undefined);
        socket.on("close", () => [near, far].forEach((each) => each.destroy()));
      }
      // The daemon knows itself by its own address alone.
      near.on("data", (chunk) => {
        const text = chunk.toString("latin1").replace(/^host: .*$/im, `Host: 127.0.0.1:${port}`);
        far.write(Buffer.from(text, "latin1"));
      });
      far.on("data", (chunk) => {
        passed += chunk.length;
        const isCut = passed > this.cutAfter;
        near.write(isCut ? chunk.subarray(0, chunk.length >> 1) : chunk, () => isCut && near.destroy());
        if (isCut) this.cuts++;
      });
    });
  }

  async listen(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

test("H8 a connection that is cut again and again, anywhere in a message, loses no event and repeats none", async () => {
  const { runId, events } = await finishedRun();
  await using between = new Unreliable(Number(new URL(daemon.url).port));
  const live = open(await between.listen());
  between.cutAfter = 1500;
  const followed = collect(live.follow(runId));
  const loosened = setInterval(() => (between.cutAfter += 500), 20);
  expect(await followed).toEqual(events);
  clearInterval(loosened);
  expect(between.cuts).toBeGreaterThan(0);
});

test("a change whose answer was lost on the way is made once, and answered", async () => {
  await using between = new Unreliable(Number(new URL(daemon.url).port));
  const live = open(await between.listen());
  await live.call("system.health", {});
  between.cutAfter = 0;
  const made = live.call("workbenches.create", { name: "made once" });
  await expect.poll(() => between.cuts).toBeGreaterThan(0);
  between.cutAfter = Infinity;
  const { workbenchId } = await made;
  const { items } = await client.call("workbenches.list", {});
  expect(items.filter(({ name }) => name === "made once").map((each) => each.workbenchId)).toEqual([workbenchId]);
});

test("H8 followers and callers go on across kill -9 and restart of the daemon, over one connection each time", async () => {
  const program = join(import.meta.dirname, "../../../server/test/daemon-process.ts");
  const home = join(folder, "killed");
  const start = async (port: string) => {
    const child = spawn(process.execPath, [program, home, join(folder, "killed-config"), port], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(createInterface(child.stdout), "line")) as [string];
    return { child, ...(JSON.parse(line) as { url: string; token: string }) };
  };
  const first = await start("0");
  const { url, token } = first;
  const live = open(url, token);
  await live.call("providers.add", { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true });
  const runs = await Promise.all(
    Array.from({ length: 5 }, () => live.call("runs.start", { model: "loop/slow", prompt: "say a lot, slowly" })),
  );
  let restarted: ReturnType<typeof start> | undefined;
  const kill = async () => {
    const exited = once(first.child, "exit");
    first.child.kill("SIGKILL");
    await exited;
    return await start(new URL(url).port);
  };
  const followed = await Promise.all(
    runs.map(async ({ runId }) => {
      const connections: boolean[] = [];
      const events: RunEvent[] = [];
      for await (const event of live.follow(runId, { onConnection: (connected) => connections.push(connected) })) {
        events.push(event);
        if (event.type === "OutputDelta") restarted ??= kill();
      }
      return { runId, events, connections };
    }),
  );
  const second = await restarted!;
  for (const { runId, events, connections } of followed) {
    expect(connections).toEqual([false, true]);
    expect(events.map(({ seq }) => seq)).toEqual([...events.keys()]);
    expect(events.at(-1)).toMatchObject({ type: "Completed" });
    expect((await live.call("runs.eventPage", { runId })).items).toEqual(events);
  }
  live.close();
  const exited = once(second.child, "exit");
  second.child.kill("SIGTERM");
  await exited;
});
