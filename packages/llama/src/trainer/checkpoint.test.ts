import { mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newFolder } from "../../test/trainer-examples.ts";
import { readCheckpoint, removeCheckpoint, writeCheckpoint, type Checkpoint } from "./checkpoint.ts";

let folder: string;

beforeAll(async () => {
  folder = await newFolder();
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

const checkpoint: Checkpoint = {
  state: {
    fingerprint: "f",
    step: 3,
    position: { epoch: 1, row: 2 },
    loss: 0.5,
    best: { step: 2, loss: 0.25 },
    worse: 1,
    elapsedMs: 9,
  },
  arrays: [Float32Array.of(1, 2, 3), Float32Array.of(-0, 1e-40), new Float32Array(0)],
};

test("a checkpoint comes back as it was, and a kill while one was written does not show", async () => {
  const directory = join(folder, "a", "b");
  expect(await readCheckpoint(directory)).toBeUndefined();
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "checkpoint.part"), "half");
  await writeCheckpoint(directory, checkpoint);
  expect(await readCheckpoint(directory)).toEqual(checkpoint);
  await writeCheckpoint(directory, { ...checkpoint, state: { ...checkpoint.state, step: 4 } });
  expect((await readCheckpoint(directory))?.state.step).toBe(4);
  expect(await readdir(directory)).toEqual(["checkpoint.bin"]);
  await removeCheckpoint(directory);
  expect(await readdir(directory)).toEqual([]);
});

test("a damaged one is told, wherever the damage is", async () => {
  const directory = join(folder, "damaged");
  const file = join(directory, "checkpoint.bin");
  await writeCheckpoint(directory, checkpoint);
  const { length } = await readFile(file);
  for (let at = 0; at < length; at += 7) {
    await writeCheckpoint(directory, checkpoint);
    const bytes = await readFile(file);
    bytes[at] = (bytes[at] ?? 0) ^ 0x10;
    await writeFile(file, bytes);
    await expect(readCheckpoint(directory)).rejects.toMatchObject({ code: "CHECKPOINT_RESTORE_FAILED" });
  }
  await truncate(file, 5);
  await expect(readCheckpoint(directory)).rejects.toThrow(/Remove it to start anew/);
});

test("a place that cannot be written to is told", async () => {
  await writeFile(join(folder, "file"), "");
  await expect(writeCheckpoint(join(folder, "file"), checkpoint)).rejects.toMatchObject({
    code: "CHECKPOINT_CREATE_FAILED",
  });
});
