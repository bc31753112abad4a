import { open, rename, type FileHandle } from "node:fs/promises";
import type { RunEvent } from "@benchtop/protocol";
import type { TraceSink, TraceState } from "./sink.ts";

export interface JsonlFileOptions {
  /** Above it the file is renamed to `<path>.1`, in the place of an earlier one, and a new one begun; 100 MB when absent. */
  readonly maxBytes?: number;
}

/** Appends events to a file of its own, one JSON object a line, readable by its owner alone. */
export function jsonlFile(path: string, options: JsonlFileOptions = {}): TraceSink {
  return new JsonlFile(path, options.maxBytes ?? 100_000_000);
}

/** What may wait for the disk, in characters; who does not wait for room beyond it loses events. */
const maxWaitingCharacters = 8_000_000;
const roomCharacters = 1_000_000;

class JsonlFile implements TraceSink {
  readonly #path: string;
  readonly #maxBytes: number;
  #file: FileHandle | undefined;
  #bytes = 0;
  #lines: string[] = [];
  #waitingCharacters = 0;
  #waitingLines = 0;
  #writing: Promise<void> | undefined;
  #closed = false;
  #passedOn = 0;
  #dropped = 0;
  #problem: string | undefined;

  constructor(path: string, maxBytes: number) {
    this.#path = path;
    this.#maxBytes = maxBytes;
  }

  get state(): TraceState {
    return {
      passedOn: this.#passedOn,
      dropped: this.#dropped,
      waiting: this.#waitingLines,
      ...(this.#problem !== undefined && { problem: this.#problem }),
    };
  }

  async event(event: RunEvent): Promise<void> {
    const line = `${JSON.stringify(event)}\n`;
    if (this.#closed || this.#waitingCharacters + line.length > maxWaitingCharacters) {
      this.#dropped += 1;
      return;
    }
    this.#lines.push(line);
    this.#waitingLines += 1;
    this.#waitingCharacters += line.length;
    this.#writing ??= this.#write();
    if (this.#waitingCharacters > roomCharacters) await this.#writing;
  }

  async flush(): Promise<void> {
    await this.#writing;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
    await this.#file?.close();
    this.#file = undefined;
  }

  async #write(): Promise<void> {
    // What arrives in the same turn is one write.
    await Promise.resolve();
    for (let lines = this.#take(); lines.length > 0; lines = this.#take()) {
      try {
        await this.#append(Buffer.from(lines.join("")));
        this.#passedOn += lines.length;
        this.#problem = undefined;
      } catch (thrown) {
        this.#dropped += lines.length;
        this.#problem = `The trace file cannot be written (${(thrown as NodeJS.ErrnoException).code ?? "unknown"}).`;
        await this.#file?.close().catch(() => undefined);
        this.#file = undefined;
      }
      this.#waitingLines -= lines.length;
      for (const line of lines) this.#waitingCharacters -= line.length;
    }
    this.#writing = undefined;
  }

  #take(): readonly string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  async #append(data: Buffer): Promise<void> {
    if (this.#file && this.#bytes > 0 && this.#bytes + data.length > this.#maxBytes) {
      await this.#file.close();
      this.#file = undefined;
      await rename(this.#path, `${this.#path}.1`);
    }
    this.#file ??= await this.#open();
    await this.#file.appendFile(data);
    this.#bytes += data.length;
  }

  /** A line that a killed process left unfinished is ended, so that it spoils no other. */
  async #open(): Promise<FileHandle> {
    const file = await open(this.#path, "a+", 0o600);
    const { size } = await file.stat();
    this.#bytes = size;
    if (size === 0) return file;
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
    if (buffer[0] !== 10) await file.appendFile("\n");
    return file;
  }
}
