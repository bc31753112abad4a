/**
 * 1,000 live subscribers while 100 runs stream, ten to a run: over server-sent events, a connection each, and over one
 * WebSocket for every ten. The model says the moment of its sending, so that the latency is from the model's socket to the
 * subscriber, through provider adapter, journal and commit, for tokens that were sent once all were there. Every subscriber has to get every event, in order, once.
 *
 * `node bench/subscribers.ts [--runs N] [--per-run N] [--tokens N] [--pace MS]`
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createClient } from "@benchtop/client";
import { subscribeOverSse, subscribeOverWebSocket, type Subscribe } from "./transports/subscriptions.ts";
import { startDaemonProcess, type ServerProcess } from "./transports/servers.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "100" },
    "per-run": { type: "string", default: "10" },
    tokens: { type: "string", default: "100" },
    pace: { type: "string", default: "100" },
  },
});
const [runs, perRun, tokens, pace] = [values.runs, values["per-run"], values.tokens, values.pace].map(Number) as [
  number,
  number,
  number,
  number,
];

const model = spawn(process.execPath, ["--no-warnings", join(import.meta.dirname, "harness/server.ts")], {
  stdio: ["ignore", "pipe", "inherit"],
});
try {
  const [port] = (await once(model.stdout, "data")) as [Buffer];
  const baseUrl = `http://127.0.0.1:${String(port).trim()}/paced/${tokens}/${pace}`;
  console.log(
    `| ${runs} runs of ${tokens} tokens, one every ${pace} ms, ${runs * perRun} subscribers | p50 ms | p99 ms | slowest ms | daemon CPU | daemon memory before → peak MB | events given | lost or doubled |`,
  );
  console.log("|---|---:|---:|---:|---:|---:|---:|---:|");
  await measure("nobody subscribed", baseUrl, undefined);
  await measure("server-sent events, a connection each", baseUrl, subscribeOverSse);
  await measure("WebSocket, ten subscriptions on each", baseUrl, subscribeOverWebSocket);
} finally {
  model.kill();
}

async function measure(name: string, baseUrl: string, subscribe: Subscribe | undefined): Promise<void> {
  await using daemon = await startDaemonProcess();
  const client = createClient({ url: daemon.url, token: daemon.token });
  await client.call("providers.add", { name: "bench", kind: "openai-chat", baseUrl, local: true });
  const before = await daemon.residentBytes();
  const cpuBefore = await daemon.cpuMicros();
  const started = performance.now();
  const runIds = await Promise.all(
    Array.from({ length: runs }, async () => {
      const { runId } = await client.call("runs.start", { model: "bench/bench", prompt: "go" });
      return runId;
    }),
  );
  const heard = subscribe === undefined ? [] : await subscribe(daemon, runIds, perRun);
  const counts = await eventCounts(daemon, runIds);
  const seconds = (performance.now() - started) / 1000;
  const cpu = ((await daemon.cpuMicros()) - cpuBefore) / 1e6 / seconds;
  const peak = await daemon.peakBytes();
  // What was sent before the last subscriber was there is history to some: catching up is not latency.
  const allThere = Math.max(0, ...heard.map(({ since }) => since));
  const live = heard.flatMap((each) => each.tokens.filter(({ sentAt }) => sentAt > allThere));
  const latencies = live.map(({ sentAt, heardAt }) => heardAt - sentAt).toSorted((a, b) => a - b);
  const wrong = heard.filter((each) => each.outOfOrder > 0 || each.events !== counts.get(each.runId)).length;
  const cells = [
    ...(latencies.length === 0
      ? ["", "", ""]
      : [0.5, 0.99, 1].map((of) =>
          ((latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * of))] ?? 0) / 1000).toFixed(1),
        )),
    `${Math.round(cpu * 100)} %`,
    `${Math.round(before / 1e6)} → ${Math.round(peak / 1e6)}`,
    heard.reduce((sum, { events }) => sum + events, 0).toLocaleString("en"),
    subscribe === undefined ? "" : String(wrong),
  ];
  console.log(`| ${name} | ${cells.join(" | ")} |`);
}

/** Waits until every run has ended; how many events each has, after its journal was verified. */
async function eventCounts(daemon: ServerProcess, runIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const client = createClient({ url: daemon.url, token: daemon.token });
  const counts = new Map<string, number>();
  for (const runId of runIds) {
    for await (const event of client.follow(runId, { after: -1 })) void event;
    const { ok, eventCount } = await client.call("runs.verify", { runId });
    if (!ok) throw new Error(`The journal of ${runId} is damaged.`);
    counts.set(runId, eventCount);
  }
  return counts;
}
