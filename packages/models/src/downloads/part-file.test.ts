import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PartFile } from "./part-file.ts";

let folder: string;
let path: string;
const shape = { bytes: 100, segmentBytes: 40, validator: '"1"' };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "benchtop-part-"));
  path = join(folder, "0.part");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Ten bytes of the second segment, on disk. */
async function begin(): Promise<void> {
  await using part = await PartFile.create(path, shape);
  const [, second] = part.segments;
  if (!second) throw new Error("100 bytes have three segments.");
  await part.write(second, Buffer.from("0123456789"));
  await part.save(second);
  await part.write(second, Buffer.from("not said to be on disk"));
}

async function reopened(): Promise<number[] | undefined> {
  const part = await PartFile.open(path);
  if (!part) return undefined;
  await part[Symbol.asyncDispose]();
  return part.segments.map(({ done }) => done);
}

test("P2.1 what the journal says is on disk is there after a crash, and nothing else is believed", async () => {
  await begin();
  expect(await reopened()).toEqual([0, 10, 0]);
  expect(readFileSync(path).subarray(40, 50).toString()).toBe("0123456789");
  expect(await PartFile.bytesDone(path)).toBe(10);
});

test("P2.1 a journal that was cut off anywhere is read as far as it is whole", async () => {
  await begin();
  const journal = readFileSync(`${path}.journal`);
  const header = journal.indexOf("\n") + 1;
  for (let length = 0; length <= journal.length; length++) {
    writeFileSync(`${path}.journal`, journal.subarray(0, length));
    const expected = length < header ? undefined : length < journal.length ? [0, 0, 0] : [0, 10, 0];
    expect([length, await reopened()]).toEqual([length, expected]);
  }
});

test("P2.1 a journal that cannot be true begins anew", async () => {
  await begin();
  const header = `${JSON.stringify(shape)}\n`;
  for (const lines of ["9 1\n", "0 41\n", "0 -1\n", "x\n", "0 1 2\n", "2 21\n"]) {
    writeFileSync(`${path}.journal`, header + lines);
    expect([lines, await reopened()]).toEqual([lines, undefined]);
  }
  writeFileSync(`${path}.journal`, `${header}0 40\n`);
  truncateSync(path, 50);
  expect(await reopened()).toBeUndefined();
  rmSync(path);
  expect(await reopened()).toBeUndefined();
  writeFileSync(`${path}.journal`, "{}\n");
  expect(await reopened()).toBeUndefined();
  await PartFile.remove(path);
  expect(await PartFile.bytesDone(path)).toBe(0);
});

test("P2.1 a file that is coming takes only the room of what has come", async () => {
  const part = await PartFile.create(path, { bytes: 2 ** 40, segmentBytes: 2 ** 32, validator: null });
  await part[Symbol.asyncDispose]();
  expect(statSync(path)).toMatchObject({ size: 2 ** 40, blocks: 0 });
});
