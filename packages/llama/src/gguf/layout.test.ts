import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { fileTypes, tensorTypes, type TensorType } from "./layout.ts";

const script = fileURLToPath(new URL("../../test/gguf-tensor-types.ts", import.meta.url));

test("Types of weights and of files are those of the llama.cpp that is installed", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [script], { timeout: 25_000 });
  const theirs = JSON.parse(stdout) as { types: TensorType[]; files: Record<string, string> };
  // What was given up has no size there, and is missing here.
  expect(theirs.types.filter((type) => type.blockBytes > 0)).toEqual(tensorTypes);
  expect(Object.fromEntries(Object.entries(theirs.files).map(([number, name]) => [number, shortened(name)]))).toEqual(
    fileTypes,
  );
});

/** `Q4_K - Medium` is called Q4_K_M everywhere else. */
function shortened(name: string): string {
  return name
    .replace("all ", "")
    .replace(/^IQ3_S mix.*/, "IQ3_M")
    .replace(/ - (Small|Medium|Large)$/, (_, size: string) =>
      name.startsWith("Q2_K - M") ? "" : `_${size.slice(0, 1)}`,
    )
    .replace(" MoE", "_MOE")
    .replace(/ - .*$/, "")
    .replace(" ternary", "");
}
