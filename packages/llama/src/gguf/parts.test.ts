import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { tinyModel } from "../../test/tiny-model.ts";
import { readGgufModel, splitParts } from "./parts.ts";
import { readGgufHeader } from "./read.ts";
import { writeGguf } from "./write.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gguf-parts-"));
});
afterEach(() => rm(folder, { recursive: true }));

const model = tinyModel();

function part(number: number, count: number): string {
  return join(folder, `tiny-0000${number}-of-0000${count}.gguf`);
}

/** A model in three files as llama-gguf-split writes them. */
async function divide(change: { readonly count?: number; readonly number?: number } = {}): Promise<void> {
  const third = Math.ceil(model.tensors.length / 3);
  for (let index = 0; index < 3; index++) {
    const split = {
      "split.no": { type: "u16", value: change.number ?? index },
      "split.count": { type: "u16", value: change.count ?? 3 },
      "split.tensors.count": { type: "i32", value: model.tensors.length },
    } as const;
    const metadata = index === 0 ? tinyModel({ metadata: split }).metadata : split;
    await writeGguf(part(index + 1, 3), { metadata, tensors: model.tensors.slice(index * third, (index + 1) * third) });
  }
}

describe("A model in several files", () => {
  test("is found by any of its parts, and read as one", async () => {
    await divide();
    const whole = join(folder, "whole.gguf");
    await writeGguf(whole, model);
    const all = [part(1, 3), part(2, 3), part(3, 3)];
    expect(await splitParts(part(2, 3))).toEqual(all);
    const { parts, header } = await readGgufModel(part(3, 3));
    const expected = await readGgufHeader(whole);
    expect(parts).toEqual(all);
    expect(header.tensors.map(({ name, bytes }) => [name, bytes])).toEqual(
      expected.tensors.map(({ name, bytes }) => [name, bytes]),
    );
    expect(header.metadata.get("general.architecture")).toBe("llama");
  });

  test("is a single file where its name does not say otherwise", async () => {
    const path = join(folder, "tiny-00001.gguf");
    await writeGguf(path, model);
    expect(await splitParts(path)).toEqual([path]);
    expect((await readGgufModel(path)).parts).toEqual([path]);
  });

  test("is refused with the numbers of what is missing", async () => {
    await writeFile(part(2, 4), "");
    await expect(splitParts(part(2, 4))).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
      message: expect.stringContaining("4 files, and parts 1, 3, 4 are missing") as string,
    });
    await expect(splitParts(join(folder, "m-00005-of-00003.gguf"))).rejects.toThrow("part 5 of 3");
    await expect(splitParts(join(folder, "m-00000-of-00003.gguf"))).rejects.toThrow("part 0 of 3");
    await expect(splitParts(join(folder, "m-00001-of-99999.gguf"))).rejects.toThrow("part 1 of 99999");
  });

  test("is refused where the parts are not of one model", async () => {
    await divide({ count: 2 });
    await expect(readGgufModel(part(1, 3))).rejects.toThrow("does not say that it is one of 3");
    await divide({ number: 1 });
    await expect(readGgufModel(part(1, 3))).rejects.toThrow("Part 1 says that it is part 2");
    await divide();
    await writeGguf(part(3, 3), { metadata: { "split.count": { type: "u16", value: 3 } }, tensors: [] });
    await expect(readGgufModel(part(1, 3))).rejects.toThrow("not of one model");
  });

  test("is refused where a part was given the name of a whole", async () => {
    await divide();
    const alone = join(folder, "alone.gguf");
    await rename(part(1, 3), alone);
    await expect(readGgufModel(alone)).rejects.toThrow("one of 3 parts");
  });
});
