/** The process with a model: loads one, then does what it is told. `start.ts` starts it; its messages are in `process-messages.ts`. */
// oxlint-disable-next-line no-restricted-imports -- it opens the pipe that it was given, and connects to nobody.
import { Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { BenchtopError } from "@benchtop/protocol/errors";
import { embed } from "./embed.ts";
import { encodeFrame, FrameReader } from "./frames.ts";
import { chat, complete, type Place } from "./generate.ts";
import { loadModel } from "./load.ts";
import { PartOutbox } from "./part-outbox.ts";
import { failureFrom, type Order, type Reply } from "./process-messages.ts";
import { refused } from "./check-request.ts";
import { PieceSize, SteeredSequence } from "./steered-sequence.ts";

/** The pipe to the daemon, after the three that every process has. */
const channel = new Socket({ fd: 3, readable: true, writable: true });
const underway = new Map<number, AbortController>();
let place: Place | undefined;
let progress = 0;

const guard = new Worker(new URL("./orphan-guard.ts", import.meta.url), { workerData: process.ppid });
guard.unref();
// A terminal sends it to everybody in it. Whether models end then is for the daemon to say.
process.on("SIGINT", () => undefined);
// Native threads may be computing: nothing is waited for.
const leave = (): void => void process.kill(process.pid, "SIGKILL");
channel.on("close", leave).on("end", leave).on("error", leave);

const reader = new FrameReader();
channel.on("data", (chunk: Buffer) => {
  // The daemon checks what it sends; here it is believed.
  for (const { message } of reader.push(chunk)) take(message as Order);
});

function take(order: Order): void {
  switch (order.type) {
    case "load":
      setInterval(beat, order.beatMs);
      void load(order);
      break;
    case "abort":
      underway.get(order.id)?.abort(new BenchtopError("USER_CANCELED", "Canceled."));
      break;
    default:
      void answer(order);
  }
}

async function load({ options }: Extract<Order, { type: "load" }>): Promise<void> {
  // So that there is a word at least while it takes long.
  const alone = new AbortController();
  underway.set(0, alone);
  try {
    const loaded = await loadModel(options, () => void (progress += 1));
    const pieces = new PieceSize(512);
    const sequences = loaded.sequences.map((sequence) => new SteeredSequence(sequence, pieces));
    place = { loaded, sequences, onProgress: (tokens) => void (progress += tokens) };
    tell({ type: "loaded", facts: loaded.facts });
  } catch (thrown) {
    tell({ type: "not-loaded", failure: failureFrom(BenchtopError.from(thrown)) });
  } finally {
    underway.delete(0);
  }
}

async function answer(order: Exclude<Order, { type: "load" | "abort" }>): Promise<void> {
  const { id } = order;
  const controller = new AbortController();
  const outbox = new PartOutbox((parts) => tell({ type: "parts", id, parts }));
  underway.set(id, controller);
  let inputTokens: number | undefined;
  let failure: BenchtopError | undefined;
  try {
    if (!place) throw new Error("Asked before a model was loaded.");
    place.loaded.cores.follow();
    inputTokens = await work(place, order, outbox, controller.signal);
  } catch (thrown) {
    failure = failed(thrown);
  } finally {
    if (controller.signal.aborted) outbox.drop();
    else outbox.flush();
    underway.delete(id);
    if (underway.size === 0) place?.loaded.cores.rest();
  }
  tell({
    type: "ended",
    id,
    ...(inputTokens !== undefined && { inputTokens }),
    ...(failure !== undefined && { failure: failureFrom(failure) }),
    memoryBytes: process.memoryUsage.rss(),
  });
}

async function work(
  place: Place,
  order: Exclude<Order, { type: "load" | "abort" }>,
  outbox: PartOutbox,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { loaded } = place;
  if (order.type === "tokenize") {
    const tokens = Int32Array.from(loaded.model.tokenize(order.text));
    channel.write(encodeFrame({ type: "tokens", id: order.id }, new Uint8Array(tokens.buffer)));
    return undefined;
  }
  if (order.type === "embed") {
    return await embed(
      loaded,
      order.texts,
      (vector) => {
        progress += 1;
        channel.write(encodeFrame({ type: "vector", id: order.id }, new Uint8Array(vector.buffer)));
      },
      signal,
    );
  }
  if (loaded.embedding) throw refused("This model was loaded to embed. Load it to generate first.");
  if (order.type === "chat") await chat(place, order.request, outbox, signal);
  else await complete(place, order.request, outbox, signal);
  return undefined;
}

function tell(reply: Exclude<Reply, { type: "vector" | "tokens" }>): void {
  channel.write(encodeFrame(reply));
}

function beat(): void {
  if (underway.size > 0) tell({ type: "beat", progress, memoryBytes: process.memoryUsage.rss() });
}

/** What llama.cpp says while it generates may hold what it was given: it goes no further. */
function failed(thrown: unknown): BenchtopError {
  if (BenchtopError.is(thrown)) return thrown;
  const error = thrown instanceof Error ? thrown.constructor.name : typeof thrown;
  return new BenchtopError("PROVIDER_UNAVAILABLE", "llama.cpp could not go on with this generation. Try again.", {
    detail: { error },
    cause: thrown,
  });
}
