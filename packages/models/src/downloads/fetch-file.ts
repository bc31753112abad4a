import { setTimeout as sleep } from "node:timers/promises";
import { BenchtopError } from "@benchtop/protocol";
import { refusal } from "../registry/refusals.ts";
import { checkFirstBytes, checkType, firstBytes } from "./first-bytes.ts";
import { PartFile, type Segment } from "./part-file.ts";

export interface FetchLimits {
  /** Bytes of one request, at least; large files have larger segments, so that a model takes some hundred requests at most. */
  readonly segmentBytes: number;
  /** What a killed process may lose of each segment. */
  readonly saveBytes: number;
  /** Requests at once. */
  readonly parallel: number;
  /** Failures in a row, without a byte in between, after which a request is given up. */
  readonly retries: number;
  /** Before the first retry; twice as long before each further one, up to a minute. */
  readonly retryDelayMs: number;
}

export const defaultFetchLimits: FetchLimits = {
  segmentBytes: 16 * 1024 * 1024,
  saveBytes: 4 * 1024 * 1024,
  parallel: 4,
  retries: 8,
  retryDelayMs: 1000,
};

/** A file to be fetched, and who is told how it goes. */
export interface FileFetch {
  /** Where it is put together. */
  readonly path: string;
  /** What it has to have; null where nobody knows. */
  readonly bytes: number | null;
  /** Its hash is known and will be compared: then it does not matter what the server calls its version. */
  readonly willBeChecked: boolean;
  /** Most that a file of unknown size may have. */
  readonly maxBytes: number;
  /** Asks for the file, or a range of it. Statuses other than 200, 206 and 416 are thrown. */
  ask(headers: Readonly<Record<string, string>>, maxBytes: number, signal: AbortSignal): Promise<Response>;
  /** Resolves when more may come after so many bytes (bandwidth). */
  take(bytes: number, signal: AbortSignal): Promise<void>;
  /** What has come now; less than before after a restart. */
  onProgress(progress: { readonly bytesDone: number; readonly bytesTotal: number | null }): void;
  /** A request failed and is tried again at this time; undefined once it goes on. */
  onWait(until: Date | undefined): void;
}

/** The server has another file there than when the download began. */
class FileChanged extends Error {}
const maxRestarts = 3;

/**
 * Fetches a file in segments, several at once, and goes on where an earlier attempt stopped. When it resolves the file is whole and on
 * disk; its hash is for the caller to check. What was fetched is kept whenever it rejects, unless it is certain that it is not the
 * file: with `PROVIDER_UNAVAILABLE`, `NETWORK_UNAVAILABLE`, `PROVIDER_RATE_LIMITED` after retries, `DISK_FULL`, what `ask` throws, and the
 * signal's reason.
 */
export async function fetchFile(fetch: FileFetch, limits: FetchLimits, signal: AbortSignal): Promise<void> {
  for (let restarts = 0; ; restarts++) {
    try {
      return await fetchSegments(fetch, limits, signal);
    } catch (error) {
      if (!(error instanceof FileChanged)) throw error;
      await PartFile.remove(fetch.path);
      if (restarts === maxRestarts) throw keepsChanging();
    }
  }
}

async function fetchSegments(fetch: FileFetch, limits: FetchLimits, signal: AbortSignal): Promise<void> {
  const { part, answer } = await begin(fetch, limits, signal);
  await using _ = part;
  const report = () => fetch.onProgress({ bytesDone: part.bytesDone, bytesTotal: part.shape.bytes });
  report();
  const failed = new AbortController();
  const all = AbortSignal.any([signal, failed.signal]);
  const waiting = part.segments.filter(({ done, length }) => done !== length);
  let workers = Math.max(1, Math.min(limits.parallel, waiting.length));

  /** Takes one segment after the other until none is left. */
  const work = async (first?: Response) => {
    for (let segment = waiting.shift(); segment; segment = waiting.shift()) {
      const retries = new Retries(limits, fetch);
      for (let answered = first; segment.done !== segment.length; answered = undefined) {
        try {
          const response = answered ?? (await askFor(segment, part, fetch, all));
          await receive(response, segment, part, { fetch, limits, retries, report }, all);
          if (segment.length === null) {
            await part.finish(segment);
            break;
          }
        } catch (error) {
          all.throwIfAborted();
          if (error instanceof FileChanged) throw error;
          // A server that wants fewer requests at once gets fewer.
          if (isTooMany(error) && workers > 1) {
            workers -= 1;
            waiting.unshift(segment);
            return;
          }
          await retries.wait(error, all);
        }
      }
      first = undefined;
      await part.save(segment);
    }
  };

  const stop = (error: unknown) => {
    failed.abort(error);
    throw error;
  };
  const ends = await Promise.allSettled(
    Array.from({ length: workers }, (_, index) => work(index === 0 ? answer : undefined).catch(stop)),
  );
  // What has come is kept, whyever it ends here.
  await Promise.allSettled(part.segments.map((segment) => part.save(segment)));
  signal.throwIfAborted();
  if (ends.some(({ status }) => status === "rejected")) throw failed.signal.reason;
}

/** Opens what is there, or asks for the beginning, which tells what the file is and whether the server gives parts of it. */
async function begin(
  fetch: FileFetch,
  limits: FetchLimits,
  signal: AbortSignal,
): Promise<{ part: PartFile; answer?: Response }> {
  const kept = await PartFile.open(fetch.path);
  if (kept) {
    const same = fetch.bytes === null || kept.shape.bytes === fetch.bytes;
    if (same && (fetch.willBeChecked || kept.shape.validator !== null)) return { part: kept };
    await kept[Symbol.asyncDispose]();
  }
  const retries = new Retries(limits, fetch);
  for (let ranges = true; ;) {
    try {
      const answer = await fetch.ask(
        ranges ? { range: `bytes=0-${limits.segmentBytes - 1}` } : {},
        fetch.bytes ?? fetch.maxBytes,
        signal,
      );
      try {
        const shape = shapeOf(answer, fetch, limits);
        if (shape) return { part: await PartFile.create(fetch.path, shape), answer };
      } catch (error) {
        await answer.body?.cancel();
        throw error;
      }
      // Parts of a file that nothing identifies could be of different files: all of it in one answer cannot.
      await answer.body?.cancel();
      if (!ranges) throw wrongAnswer("The server gave a part of the file although all of it was asked for.");
      ranges = false;
    } catch (error) {
      signal.throwIfAborted();
      await retries.wait(error, signal);
    }
  }
}

/** What the first answer says of the file; undefined to ask again for all of it at once. */
function shapeOf(answer: Response, { bytes: expected, willBeChecked, maxBytes }: FileFetch, limits: FetchLimits) {
  if (answer.status === 416) throw wrongAnswer("The server has an empty file there.");
  checkType(answer);
  const range = answer.status === 206 ? contentRangeOf(answer) : undefined;
  const total = range ? range.total : lengthOf(answer);
  if (answer.status === 206 && (range === undefined || range.start !== 0 || total === null)) return undefined;
  const bytes = total ?? expected;
  if (bytes === 0) throw wrongAnswer("The server has an empty file there.");
  if (expected !== null && bytes !== expected) {
    throw wrongAnswer(`The server has a file of ${bytes} bytes there; it was said to have ${expected}.`);
  }
  if (bytes !== null && bytes > maxBytes)
    throw refusal("DISK_FULL", "The file is larger than what is free on the disk.");
  const validator = validatorOf(answer);
  if (range && validator === null && !willBeChecked) return undefined;
  // A server without ranges has one segment, the whole file.
  const segmentBytes = range ? Math.max(limits.segmentBytes, Math.ceil(range.total / mostSegments)) : (bytes ?? 1);
  return { bytes, segmentBytes, validator };
}

const mostSegments = 256;

/** Asks for what is missing of a segment, and makes sure that the answer is of the same file. */
async function askFor(segment: Segment, part: PartFile, fetch: FileFetch, signal: AbortSignal): Promise<Response> {
  const { validator, bytes } = part.shape;
  if (segment.length === null || bytes === null || (validator === null && !fetch.willBeChecked)) {
    // Nothing tells whether it is the same file: only one answer that holds all of it is of one piece.
    await part.reset(segment);
    return fetch.ask({}, bytes ?? fetch.maxBytes, signal);
  }
  const from = segment.start + segment.done;
  const to = segment.start + segment.length - 1;
  const ifSame = validator !== null && !fetch.willBeChecked ? { "if-range": validator } : {};
  const answer = await fetch.ask({ range: `bytes=${from}-${to}`, ...ifSame }, bytes, signal);
  try {
    checkType(answer);
    const found = validatorOf(answer);
    const same = fetch.willBeChecked || found === null || found === validator;
    const range = answer.status === 206 ? contentRangeOf(answer) : undefined;
    if (same && range && range.start === from && range.end <= to && range.total === bytes) return answer;
    const isWhole = answer.status === 200 && same && lengthOf(answer) === bytes;
    if (!isWhole) throw new FileChanged();
    if (segment.length !== bytes) throw wrongAnswer("The server gave the whole file in place of a part.", true);
    await part.reset(segment);
    return answer;
  } catch (error) {
    await answer.body?.cancel();
    throw error;
  }
}

/** Writes what comes of an answer to its end. Throws what can be tried again when it ends early. */
async function receive(
  answer: Response,
  segment: Segment,
  part: PartFile,
  { fetch, limits, retries, report }: { fetch: FileFetch; limits: FetchLimits; retries: Retries; report: () => void },
  signal: AbortSignal,
): Promise<void> {
  const range = contentRangeOf(answer);
  const until = range ? range.end + 1 - segment.start : segment.length;
  for await (const chunk of segment.start + segment.done === 0 ? firstBytes(answer) : bodyOf(answer)) {
    if (segment.start + segment.done === 0) await forgetUnless(() => checkFirstBytes(chunk, fetch.bytes), fetch);
    if (segment.done + chunk.length > (until ?? fetch.maxBytes)) {
      throw wrongAnswer("The server sent more than was asked for.", true);
    }
    await part.write(segment, chunk);
    retries.progressed();
    report();
    if (segment.done - segment.saved >= limits.saveBytes) await part.save(segment);
    await fetch.take(chunk.length, signal);
  }
  if (until !== null && segment.done < until) {
    throw refusal("NETWORK_UNAVAILABLE", "The connection ended before the file was whole.");
  }
}

/** A file that is certainly not the one that was meant is not kept. */
async function forgetUnless(check: () => void, fetch: FileFetch): Promise<void> {
  try {
    check();
  } catch (error) {
    await PartFile.remove(fetch.path);
    throw error;
  }
}

async function* bodyOf(answer: Response): AsyncGenerator<Uint8Array> {
  if (answer.body) yield* answer.body as ReadableStream<Uint8Array>;
}

/** Failures of one segment, and how long to wait after each. */
class Retries {
  readonly #limits: FetchLimits;
  readonly #fetch: FileFetch;
  #failures = 0;

  constructor(limits: FetchLimits, fetch: FileFetch) {
    this.#limits = limits;
    this.#fetch = fetch;
  }

  progressed(): void {
    if (this.#failures > 0) this.#fetch.onWait(undefined);
    this.#failures = 0;
  }

  /** Resolves when it is time to try again; throws what cannot be tried again, or was too often. */
  async wait(thrown: unknown, signal: AbortSignal): Promise<void> {
    const error = BenchtopError.from(thrown, "FILE_WRITE_FAILED", { phase: "settings" });
    this.#failures += 1;
    if (!canBeTriedAgain(error) || this.#failures > this.#limits.retries) throw error;
    const asked = error.info.detail?.["retry_after_ms"];
    if (typeof asked === "number" && asked > longestPauseMs) throw error;
    const doubled = this.#limits.retryDelayMs * 2 ** (this.#failures - 1) * (0.75 + Math.random() / 2);
    const pause = typeof asked === "number" ? asked : Math.min(60_000, doubled);
    this.#fetch.onWait(new Date(Date.now() + pause));
    await sleep(pause, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** A server that wants a longer pause is left to the person. */
const longestPauseMs = 10 * 60_000;

const wireFailures: ReadonlySet<string> = new Set([
  "NETWORK_UNAVAILABLE",
  "PROVIDER_UNAVAILABLE",
  "PROVIDER_RATE_LIMITED",
]);

function canBeTriedAgain({ code, info }: BenchtopError): boolean {
  return wireFailures.has(code) && info.retryable;
}

function isTooMany(error: unknown): boolean {
  if (!BenchtopError.is(error)) return false;
  return error.code === "PROVIDER_RATE_LIMITED" || error.info.detail?.["status"] === 503;
}

/** `bytes 0-99/1000` (RFC 9110, 14.4). */
function contentRangeOf(answer: Response): { start: number; end: number; total: number } | undefined {
  const [, start, end, total] =
    /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16})$/.exec(answer.headers.get("content-range") ?? "") ?? [];
  if (start === undefined || end === undefined || total === undefined) return undefined;
  return { start: Number(start), end: Number(end), total: Number(total) };
}

function lengthOf(answer: Response): number | null {
  const text = answer.headers.get("content-length") ?? "";
  return /^\d{1,16}$/.test(text) ? Number(text) : null;
}

/** What `If-Range` may hold (RFC 9110, 13.1.5): a strong ETag, or else the time of change. */
function validatorOf(answer: Response): string | null {
  const etag = answer.headers.get("etag");
  if (etag !== null && !etag.startsWith("W/")) return etag;
  return answer.headers.get("last-modified");
}

function wrongAnswer(message: string, retryable = false): BenchtopError {
  return refusal("PROVIDER_UNAVAILABLE", message, { retryable });
}

function keepsChanging(): BenchtopError {
  return wrongAnswer("The file on the server changes again and again while it is downloaded. Try again later.");
}
