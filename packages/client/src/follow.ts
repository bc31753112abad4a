import { operations } from "@benchtop/operations";
import { BenchtopError, isTerminal, type RunEvent } from "@benchtop/protocol";
import { sleep, unreachable, type Requests } from "./request.ts";
import { readServerSentEvents } from "./server-sent-events.ts";

export interface FollowOptions {
  /** Events with `seq` greater than this; all of them when absent. */
  readonly after?: number;
  readonly signal?: AbortSignal | undefined;
  /** How long the daemon may be away before following it fails; 30 seconds unless told. `Infinity` waits for ever. */
  readonly giveUpAfterMs?: number;
  /** Told when the connection is lost and when it is back. */
  readonly onConnection?: (connected: boolean) => void;
}

/** The daemon says something every 15 seconds; silence of three times that is a dead connection. */
const silenceMs = 45_000;
const firstDelayMs = 100;
const longestDelayMs = 5000;

/**
 * One connection to a run's events from a cursor on, until it ends. The first batch is empty: the daemon has answered;
 * `ended` says that nothing comes any more. Throws `NETWORK_UNAVAILABLE` (`daemon_unreachable`) when it is lost.
 */
export type Connect = (after: number, signal: AbortSignal | undefined) => AsyncGenerator<readonly RunEvent[]>;

/** Reads a journal; goes on after the last event it gave when a connection is lost. */
export async function* followRun(connect: Connect, options: FollowOptions): AsyncGenerator<RunEvent, void> {
  const { signal, giveUpAfterMs = 30_000, onConnection } = options;
  let cursor = options.after ?? -1;
  let delayMs = firstDelayMs;
  let awaySince: number | undefined;
  while (!isAborted(signal)) {
    try {
      for await (const events of connect(cursor, signal)) {
        if (awaySince !== undefined) onConnection?.(true);
        awaySince = undefined;
        delayMs = firstDelayMs;
        if (events === ended) return;
        for (const event of events) {
          if (event.seq <= cursor) continue;
          cursor = event.seq;
          yield event;
          if (isTerminal(event) || isAborted(signal)) return;
        }
      }
    } catch (thrown) {
      if (isAborted(signal)) return;
      if (!isLostConnection(thrown)) throw thrown;
      if (awaySince !== undefined && Date.now() - awaySince > giveUpAfterMs) throw thrown;
    }
    if (awaySince === undefined) onConnection?.(false);
    awaySince ??= Date.now();
    await sleep(delayMs * (0.5 + Math.random()), signal);
    delayMs = Math.min(longestDelayMs, delayMs * 2);
  }
}

export const ended: readonly RunEvent[] = [];

/** Server-sent events. */
export async function* connectBySse(
  requests: Requests,
  runId: string,
  after: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly RunEvent[]> {
  const connection = new AbortController();
  const abort = (): void => connection.abort();
  signal?.addEventListener("abort", abort);
  let watchdog: ReturnType<typeof setTimeout> | undefined;
  const heard = (): void => {
    clearTimeout(watchdog);
    watchdog = setTimeout(abort, silenceMs);
  };
  try {
    heard();
    const { url } = requests.address(operations["runs.events"], { runId });
    const response = await requests.sendOnce(after < 0 ? url : `${url}?after=${after}`, {
      headers: { ...requests.headers(), accept: "text/event-stream" },
      credentials: "same-origin",
      redirect: "error",
      signal: connection.signal,
    });
    // 204: the run has ended and the cursor is at its end (the server-sent events standard's word for "do not come back").
    if (response.status === 204 || response.body === null) {
      yield ended;
      return;
    }
    yield [];
    for await (const batch of readServerSentEvents(readChunks(response.body))) {
      heard();
      if (batch.length > 0) yield batch.map(({ data }) => JSON.parse(data) as RunEvent);
    }
  } catch (thrown) {
    throw BenchtopError.is(thrown) && thrown.code !== "USER_CANCELED" ? thrown : unreachable(requests.url, thrown);
  } finally {
    clearTimeout(watchdog);
    signal?.removeEventListener("abort", abort);
    connection.abort();
  }
}

/** Not every browser can iterate a stream. */
async function* readChunks(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

function isLostConnection(thrown: unknown): boolean {
  return BenchtopError.is(thrown) && (thrown.info.subphase === "daemon_unreachable" || thrown.code === "RATE_LIMITED");
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}
