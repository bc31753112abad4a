/**
 * How messages travel between the daemon and the process with a model: a length, JSON, and bytes that belong to it. Node's own
 * channel is no choice: what it cannot read it throws where nobody can catch it, and native code that has gone wrong may write
 * anything.
 */
export interface Frame {
  readonly message: unknown;
  /** Numbers that JSON would make three times as long. */
  readonly bytes: Buffer;
}

const headBytes = 8;
/** A request with the longest texts, every character of them escaped. */
const maxFrameBytes = 64 * 2 ** 20;

export function encodeFrame(message: object, bytes?: Uint8Array): Buffer {
  const json = JSON.stringify(message);
  const jsonBytes = Buffer.byteLength(json);
  const extra = bytes?.length ?? 0;
  const frame = Buffer.allocUnsafe(headBytes + jsonBytes + extra);
  frame.writeUInt32LE(jsonBytes, 0);
  frame.writeUInt32LE(extra, 4);
  frame.write(json, headBytes);
  if (bytes) frame.set(bytes, headBytes + jsonBytes);
  return frame;
}

/** Puts chunks of a stream together to frames. Throws for what is no frame; nothing can be read after that. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #length = 0;

  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const frames: Frame[] = [];
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): Frame | undefined {
    if (this.#length < headBytes) return undefined;
    if ((this.#chunks[0]?.length ?? 0) < headBytes) this.#join();
    const [head] = this.#chunks;
    if (!head) return undefined;
    const jsonBytes = head.readUInt32LE(0);
    const size = headBytes + jsonBytes + head.readUInt32LE(4);
    if (size > maxFrameBytes) throw new Error("A message is longer than messages are.");
    if (this.#length < size) return undefined;
    const all = this.#join();
    const rest = all.subarray(size);
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#length = rest.length;
    const message = JSON.parse(all.toString("utf8", headBytes, headBytes + jsonBytes)) as unknown;
    return { message, bytes: all.subarray(headBytes + jsonBytes, size) };
  }

  #join(): Buffer {
    const [first] = this.#chunks;
    const all = first && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }
}
