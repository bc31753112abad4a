import { open, readFile, rm, stat, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "@benchtop/store";
import { z } from "zod";
import { isCode, replacePrivateFile } from "../private-file.ts";
import { writeAll } from "../registry/read-file.ts";

/** A stretch of a file that is fetched by one request after another. */
export interface Segment {
  readonly index: number;
  readonly start: number;
  /** Bytes it has; null for a file whose length nobody has told. */
  readonly length: number | null;
  /** Bytes from its start that have been written. */
  done: number;
  /** Of them, those that the journal says are on disk. */
  saved: number;
}

const Shape = z.strictObject({
  /** Null where the server did not tell; such a file cannot be gone on with. */
  bytes: z.int().positive().nullable(),
  segmentBytes: z.int().positive(),
  /** What the server calls this version of the file (`ETag`, or the time of change). */
  validator: z.string().nullable(),
});
export type PartShape = z.infer<typeof Shape>;

/**
 * A file that is coming, and a journal of what of it is on disk, so that a process killed at any moment loses the last seconds at
 * most and never takes for written what is not. A line of the journal (`segment bytes`) is appended once those bytes are on
 * disk; a line that is not whole is none.
 */
export class PartFile implements AsyncDisposable {
  readonly shape: PartShape;
  readonly segments: readonly Segment[];
  readonly #file: FileHandle;
  readonly #journal: FileHandle;

  /** What an earlier process left; undefined where there is nothing to go on with. */
  static async open(path: string): Promise<PartFile | undefined> {
    const kept = await readJournal(path);
    if (kept === undefined || kept.shape.bytes === null) return undefined;
    const size = await stat(path).then(
      (found) => found.size,
      () => undefined,
    );
    if (size !== kept.shape.bytes) return undefined;
    const segments = segmentsOf(kept.shape);
    for (const [index, done] of kept.done) {
      const segment = segments[index];
      if (segment?.length === undefined || segment.length === null || done > segment.length) return undefined;
      segment.done = done;
      segment.saved = done;
    }
    // Written anew, so that nothing is appended to a line that is not whole.
    await replacePrivateFile(journalOf(path), journalText(kept.shape, segments));
    return PartFile.#opened(path, kept.shape, segments);
  }

  /** Begins anew, whatever was there. */
  static async create(path: string, shape: PartShape): Promise<PartFile> {
    await PartFile.remove(path);
    const file = await open(path, "wx", 0o600);
    // A hole in the file takes no room on disk until it is filled.
    await file.truncate(shape.bytes ?? 0);
    await file.sync();
    await file.close();
    await syncFolder(dirname(path));
    await replacePrivateFile(journalOf(path), journalText(shape, []));
    return PartFile.#opened(path, shape, segmentsOf(shape));
  }

  static async remove(path: string): Promise<void> {
    await rm(journalOf(path), { force: true });
    await rm(path, { force: true });
  }

  /** Bytes that an earlier process has brought. */
  static async bytesDone(path: string): Promise<number> {
    const kept = await readJournal(path);
    return kept === undefined || kept.shape.bytes === null
      ? 0
      : [...kept.done.values()].reduce((sum, done) => sum + done, 0);
  }

  static async #opened(path: string, shape: PartShape, segments: Segment[]): Promise<PartFile> {
    return new PartFile(shape, segments, await open(path, "r+"), await open(journalOf(path), "a"));
  }

  private constructor(shape: PartShape, segments: Segment[], file: FileHandle, journal: FileHandle) {
    this.shape = shape;
    this.segments = segments;
    this.#file = file;
    this.#journal = journal;
  }

  get bytesDone(): number {
    return this.segments.reduce((sum, { done }) => sum + done, 0);
  }

  /** Goes on with a segment. */
  async write(segment: Segment, chunk: Uint8Array): Promise<void> {
    await writeAll(this.#file, chunk, segment.start + segment.done);
    segment.done += chunk.length;
  }

  /** Puts what was written on disk, and then says so. */
  async save(segment: Segment): Promise<void> {
    const { index, done, saved } = segment;
    if (done === saved) return;
    await this.#file.datasync();
    await this.#journal.appendFile(`${index} ${done}\n`);
    segment.saved = Math.max(segment.saved, done);
  }

  /** Ends a file whose length nobody had told. */
  async finish(segment: Segment): Promise<void> {
    await this.#file.truncate(segment.done);
    await this.#file.sync();
  }

  /** Begins a segment anew: its server cannot go on in the middle. */
  async reset(segment: Segment): Promise<void> {
    segment.done = 0;
    segment.saved = 0;
    await this.#journal.appendFile(`${segment.index} 0\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
    await this.#journal.close();
  }
}

function journalOf(path: string): string {
  return `${path}.journal`;
}

function segmentsOf({ bytes, segmentBytes }: PartShape): Segment[] {
  if (bytes === null) return [{ index: 0, start: 0, length: null, done: 0, saved: 0 }];
  return Array.from({ length: Math.ceil(bytes / segmentBytes) }, (_, index) => {
    const start = index * segmentBytes;
    return { index, start, length: Math.min(segmentBytes, bytes - start), done: 0, saved: 0 };
  });
}

function journalText(shape: PartShape, segments: readonly Segment[]): string {
  const lines = segments.filter(({ done }) => done > 0).map(({ index, done }) => `${index} ${done}\n`);
  return `${JSON.stringify(shape)}\n${lines.join("")}`;
}

async function readJournal(path: string): Promise<{ shape: PartShape; done: Map<number, number> } | undefined> {
  let text: string;
  try {
    text = await readFile(journalOf(path), "utf8");
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
  // What is behind the last line's end is a line that is not whole.
  const [first = "", ...lines] = text.split("\n").slice(0, -1);
  const shape = Shape.safeParse(jsonOf(first));
  if (!shape.success) return undefined;
  const done = new Map<number, number>();
  for (const line of lines) {
    const [, index, bytes] = /^(\d{1,9}) (\d{1,16})$/.exec(line) ?? [];
    if (index === undefined || bytes === undefined) return undefined;
    done.set(Number(index), Number(bytes));
  }
  return { shape: shape.data, done };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
