import { once } from "node:events";
import { get } from "node:http";
import type { RunEvent } from "@benchtop/protocol";
import { WebSocket } from "ws";
import type { ServerProcess } from "./servers.ts";

/** What one subscriber got of one run. */
export interface Heard {
  readonly runId: string;
  events: number;
  outOfOrder: number;
  /** When the first event came, in microseconds of the monotonic clock that all processes share. */
  since: number;
  /** Of each token: when the model sent it, and when it came. */
  readonly tokens: { readonly sentAt: number; readonly heardAt: number }[];
}

/** Subscribes as often as told to each run, and resolves when every subscription has come to its end. */
export type Subscribe = (daemon: ServerProcess, runIds: readonly string[], perRun: number) => Promise<Heard[]>;

export const subscribeOverSse: Subscribe = (daemon, runIds, perRun) =>
  Promise.all(runIds.flatMap((runId) => Array.from({ length: perRun }, () => listen(daemon, runId))));

function listen({ url, token }: ServerProcess, runId: string): Promise<Heard> {
  const heard = nothingYet(runId);
  return new Promise((resolve, reject) => {
    const request = get(
      `${url}/api/v1/runs/${runId}/events`,
      { headers: { authorization: `Bearer ${token}` }, agent: false },
      (response) => {
        let rest = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          const frames = (rest + chunk).split("\n\n");
          rest = frames.pop() ?? "";
          for (const frame of frames) {
            const data = frame.split("\n").find((line) => line.startsWith("data: "));
            if (data !== undefined) hear(heard, JSON.parse(data.slice(6)) as RunEvent);
          }
        });
        response.on("end", () => resolve(heard));
        response.on("error", reject);
      },
    );
    request.on("error", reject);
  });
}

export function nothingYet(runId: string): Heard {
  return { runId, events: 0, outOfOrder: 0, since: 0, tokens: [] };
}

export function hear(heard: Heard, event: RunEvent): void {
  const heardAt = Number(process.hrtime.bigint() / 1000n);
  if (heard.events === 0) heard.since = heardAt;
  if (event.seq !== heard.events) heard.outOfOrder += 1;
  heard.events += 1;
  if (event.type !== "OutputDelta") return;
  for (const sentAt of event.text.match(/\d{6,}/g) ?? []) heard.tokens.push({ sentAt: Number(sentAt), heardAt });
}

/** Ten subscriptions to a connection, each of another run. */
export const subscribeOverWebSocket: Subscribe = async (daemon, runIds, perRun) => {
  const all = Array.from({ length: perRun }, () => runIds).flat();
  const groups = Array.from({ length: Math.ceil(all.length / perConnection) }, (_, index) =>
    all.slice(index * perConnection, (index + 1) * perConnection),
  );
  return (await Promise.all(groups.map((group) => listenOnOne(daemon, group)))).flat();
};

const perConnection = 10;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly result?: { readonly subscription_id: string };
  readonly error?: unknown;
  readonly params?: { readonly subscription_id: string; readonly events?: readonly RunEvent[] };
}

async function listenOnOne({ url, token }: ServerProcess, runIds: readonly string[]): Promise<Heard[]> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/rpc`, {
    headers: { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
  });
  await once(socket, "open");
  const heard = runIds.map(nothingYet);
  const bySubscription = new Map<string, Heard>();
  let open = runIds.length;
  await new Promise<void>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("message", (data: Buffer) => {
      const { id, method, result, error, params } = JSON.parse(data.toString()) as Message;
      if (error !== undefined) return reject(new Error(JSON.stringify(error)));
      if (id !== undefined && result !== undefined) {
        const each = heard[id];
        if (each !== undefined) bySubscription.set(result.subscription_id, each);
        return;
      }
      const each = bySubscription.get(params?.subscription_id ?? "");
      if (method === "$/events" && params?.events !== undefined && each !== undefined) {
        for (const event of params.events) hear(each, event);
        const { subscription_id } = params;
        const credit = { subscription_id, events: params.events.length };
        socket.send(JSON.stringify({ jsonrpc: "2.0", method: "$/credit", params: credit }));
      }
      if (method === "$/end" && (open -= 1) === 0) resolve();
    });
    for (const [id, run_id] of runIds.entries()) {
      socket.send(JSON.stringify({ jsonrpc: "2.0", id, method: "RunsEvents", params: { run_id } }));
    }
  });
  socket.close();
  return heard;
}
