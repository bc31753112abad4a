import { mkdir, open, readFile, rename, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { DataPosition } from "./data/rows.ts";

/** All that a run needs to go on as if it had not stopped. */
export interface CheckpointState {
  /** Of everything that decides how the run goes; a checkpoint of another one is not gone on from. */
  readonly fingerprint: string;
  readonly step: number;
  readonly position: DataPosition;
  readonly loss: number;
  readonly best: { readonly step: number; readonly loss: number } | undefined;
  /** Evaluations since the best one. */
  readonly worse: number;
  readonly elapsedMs: number;
}

export interface Checkpoint {
  readonly state: CheckpointState;
  /** Weights, first and second moments, and the best weights where there are any; little-endian floats. */
  readonly arrays: readonly Float32Array[];
}

const fileName = "checkpoint.bin";
/** Always the same, so that what a kill leaves of it is overwritten by the next. */
const partName = "checkpoint.part";
const magic = "BTCK0001";

/**
 * One file: the magic, the length of the state, the state as JSON, the arrays, and at the end the CRC-32 of all before it. It
 * is written beside the last one and then takes its place, so there is always a whole one. Throws `CHECKPOINT_CREATE_FAILED` and
 * `DISK_FULL`.
 */
export async function writeCheckpoint(directory: string, { state, arrays }: Checkpoint): Promise<number> {
  const temporary = join(directory, partName);
  let file: FileHandle | undefined;
  try {
    await mkdir(directory, { recursive: true });
    file = await open(temporary, "w", 0o600);
    const head = Buffer.from(JSON.stringify({ ...state, lengths: arrays.map(({ length }) => length) }));
    const start = Buffer.alloc(magic.length + 4);
    start.write(magic, "latin1");
    start.writeUInt32LE(head.length, magic.length);
    let sum = 0;
    let bytes = 0;
    const parts = [
      start,
      head,
      ...arrays.map((array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)),
    ];
    for (const part of parts) {
      sum = crc32(part, sum);
      await writeWhole(file, part);
      bytes += part.length;
    }
    const end = Buffer.alloc(4);
    end.writeUInt32LE(sum);
    await writeWhole(file, end);
    await file.sync();
    await file.close();
    file = undefined;
    await rename(temporary, join(directory, fileName));
    return bytes + end.length;
  } catch (error) {
    await file?.close();
    // Why it could not be written is what counts, and not why it could not be removed.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw BenchtopError.from(error, "CHECKPOINT_CREATE_FAILED", { phase: "job", detail: { directory } });
  }
}

/** Undefined when there is none. Throws `CHECKPOINT_RESTORE_FAILED` for one that is damaged. */
export async function readCheckpoint(directory: string): Promise<Checkpoint | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(join(directory, fileName));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw BenchtopError.from(error, "CHECKPOINT_RESTORE_FAILED", { phase: "job", detail: { directory } });
  }
  const body = bytes.subarray(0, -4);
  if (bytes.length < magic.length + 8 || body.toString("latin1", 0, magic.length) !== magic) throw damaged(directory);
  if (crc32(body) !== bytes.readUInt32LE(body.length)) throw damaged(directory);
  const headLength = body.readUInt32LE(magic.length);
  const from = magic.length + 4;
  // What has the right sum was written by `writeCheckpoint`.
  const { lengths, ...state } = JSON.parse(body.toString("utf8", from, from + headLength)) as CheckpointState & {
    lengths: readonly number[];
  };
  let at = from + headLength;
  const arrays = lengths.map((length) => {
    const array = new Float32Array(length);
    body.copy(new Uint8Array(array.buffer), 0, at, at + length * 4);
    at += length * 4;
    return array;
  });
  return { state, arrays };
}

export async function removeCheckpoint(directory: string): Promise<void> {
  for (const name of [fileName, partName]) await rm(join(directory, name), { force: true });
}

async function writeWhole(file: FileHandle, part: Uint8Array): Promise<void> {
  for (let at = 0; at < part.length;) at += (await file.write(part, at)).bytesWritten;
}

function damaged(directory: string): BenchtopError {
  return new BenchtopError(
    "CHECKPOINT_RESTORE_FAILED",
    "The checkpoint is damaged, so training cannot go on from it. Remove it to start anew.",
    { phase: "job", retryable: false, detail: { directory } },
  );
}
