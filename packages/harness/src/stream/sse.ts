import { BenchtopError } from "@benchtop/protocol";

/**
 * Server-sent events, decoded from the bytes as they come: gives the `data` of each event that a chunk completes.
 * Follows https://html.spec.whatwg.org/multipage/server-sent-events.html for LF, CRLF and CR, the byte order mark,
 * comments, and data of several lines; `event`, `id` and `retry` are not needed by any protocol we speak.
 *
 * Bytes are decoded up to the last line end only: no UTF-8 sequence contains one, so no character is ever cut.
 */
export class SseDecoder {
  readonly #maxBytes: number;
  /** Chunks of the line that has not ended yet. */
  #rest: Buffer[] = [];
  #restBytes = 0;
  /** Data lines of the event that has not ended yet. */
  #data: string | undefined;
  #atStart = true;
  #afterCarriageReturn = false;

  constructor(options: { readonly maxBytes?: number } = {}) {
    this.#maxBytes = options.maxBytes ?? 16 * 1024 * 1024;
  }

  /** Throws `PROVIDER_UNAVAILABLE` when a line, or the data of one event, is longer than the limit. */
  push(bytes: Uint8Array): string[] {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const end = Math.max(chunk.lastIndexOf(lineFeed), chunk.lastIndexOf(carriageReturn)) + 1;
    if (end === 0) {
      this.#keep(chunk);
      return [];
    }
    const lines = this.#decode(chunk.subarray(0, end));
    if (end < chunk.length) this.#keep(chunk.subarray(end));
    return this.#events(lines);
  }

  /** What a stream that ended without the last empty line had still to say. */
  end(): string[] {
    return this.#events(`${this.#decode(emptyBuffer)}\n\n`);
  }

  #keep(chunk: Buffer): void {
    this.#restBytes += chunk.length;
    if (this.#restBytes > this.#maxBytes) throw this.#tooLong();
    this.#rest.push(chunk);
  }

  #decode(chunk: Buffer): string {
    let bytes = chunk;
    if (this.#restBytes > 0) {
      bytes = Buffer.concat([...this.#rest, chunk]);
      this.#rest = [];
      this.#restBytes = 0;
    }
    let first = 0;
    if (this.#atStart && bytes.length > 0) {
      this.#atStart = false;
      if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) first = 3;
    }
    if (this.#afterCarriageReturn && bytes[first] === lineFeed) first += 1;
    this.#afterCarriageReturn = bytes.at(-1) === carriageReturn;
    const text = bytes.toString("utf8", first);
    return text.includes("\r") ? text.replaceAll(/\r\n?/g, "\n") : text;
  }

  /** `lines` ends with a line end. */
  #events(lines: string): string[] {
    const events: string[] = [];
    let start = 0;
    for (;;) {
      const end = lines.indexOf("\n", start);
      if (end === -1) return events;
      if (end > start) {
        this.#line(lines, start, end);
      } else if (this.#data !== undefined) {
        events.push(this.#data);
        this.#data = undefined;
      }
      start = end + 1;
    }
  }

  #line(lines: string, start: number, end: number): void {
    if (!lines.startsWith("data", start)) return;
    let value = "";
    if (end > start + 4) {
      if (lines.charCodeAt(start + 4) !== colon) return;
      value = lines.slice(lines.charCodeAt(start + 5) === space ? start + 6 : start + 5, end);
    }
    if (this.#data === undefined) {
      this.#data = value;
      return;
    }
    this.#data += `\n${value}`;
    if (this.#data.length > this.#maxBytes) throw this.#tooLong();
  }

  #tooLong(): BenchtopError {
    return new BenchtopError("PROVIDER_UNAVAILABLE", "The provider sent an event that is too long to read.", {
      retryable: false,
      detail: { max_bytes: this.#maxBytes },
    });
  }
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const colon = 0x3a;
const space = 0x20;
const emptyBuffer = Buffer.alloc(0);
