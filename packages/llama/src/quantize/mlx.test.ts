import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { never, testFolder } from "../../test/quantize-folder.ts";
import { mlxAvailability, mlxQuantize, type MlxQuantizeOptions } from "./mlx.ts";

const folder = testFolder();
const sourcePath = folder.at("model; touch owned");
afterAll(() => folder[Symbol.dispose]());

/** A program that takes the place of Python: says that it has mlx_lm, or what `body` does instead. */
function python(name: string, body: string): string {
  const path = folder.at(name);
  const lines = ["#!/bin/sh", 'if [ "$1" = "-c" ]; then echo 0.99.0; exit 0; fi', body];
  writeFileSync(path, `${lines.join("\n")}\n`);
  chmodSync(path, 0o755);
  return path;
}

beforeAll(() => {
  mkdirSync(sourcePath);
  writeFileSync(join(sourcePath, "config.json"), "{}");
  writeFileSync(folder.at("blob"), "weights");
  symlinkSync(folder.at("blob"), join(sourcePath, "model.safetensors"));
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const convert = async (options: Partial<MlxQuantizeOptions>, signal = never, said: string[] = []): Promise<unknown> =>
  await mlxQuantize(
    { sourcePath, outputPath: folder.at("out"), ...options },
    { onProgress: ({ line }) => said.push(line) },
    signal,
  ).catch((thrown: unknown) => thrown);

describe.skipIf(process.platform === "win32")("P2.2 a model for MLX (a shell script stands in for Python)", () => {
  test("is not made where mlx_lm is not, and the reason is told", async () => {
    const none = folder.at("no-python");
    expect(await mlxAvailability(none)).toMatchObject({
      available: false,
      reason: expect.stringContaining(`There is no Python that starts as ${none}.`) as unknown,
    });
    const bare = folder.at("bare-python");
    writeFileSync(bare, "#!/bin/sh\necho\n", { mode: 0o755 });
    const without = await mlxAvailability(bare);
    expect(without).toMatchObject({
      available: false,
      reason: expect.stringContaining("mlx_lm is not installed") as unknown,
    });
    const isMac = process.platform === "darwin" && process.arch === "arm64";
    expect(JSON.stringify(without).includes("no Mac with Apple silicon")).toBe(!isMac);
    expect(await convert({ python: bare })).toMatchObject({ info: { error_code: "PROVIDER_UNAVAILABLE" } });
  });

  test("is made by mlx_lm with plain arguments, no shell, no keys and no network", async () => {
    const outputPath = folder.at("out $(touch owned)");
    const script = [
      `for each in "$@"; do echo "$each" >> ${folder.at("arguments")}; done`,
      `env > ${folder.at("environment")}`,
      'mkdir -p "$6/sub"; echo \'{"bits":3}\' > "$6/config.json"; echo w > "$6/sub/model.safetensors"',
      "printf 'half\\rwhole\\n'; echo done >&2",
    ].join("\n");
    const fake = python("python", script);
    process.env["BENCHTOP_TEST_KEY"] = "a key";
    const said: string[] = [];
    const manifest = await convert({ python: fake, outputPath, bits: 3, groupSize: 32 }, never, said);
    delete process.env["BENCHTOP_TEST_KEY"];
    expect(manifest).toMatchObject({
      parameters: { bits: 3, groupSize: 32 },
      library: { name: "mlx-lm", version: "0.99.0" },
      source: {
        files: [
          { path: "config.json", bytes: 2 },
          { path: "model.safetensors", bytes: 7 },
        ],
      },
      output: { files: [{ path: "config.json" }, { path: "sub/model.safetensors", bytes: 2 }] },
    });
    const given = readFileSync(folder.at("arguments"), "utf8").trim().split("\n");
    expect(given).toEqual([
      "-m",
      "mlx_lm.convert",
      "--hf-path",
      sourcePath,
      "--mlx-path",
      given[5],
      "--quantize",
      "--q-bits",
      "3",
      "--q-group-size",
      "32",
    ]);
    expect(given[5]).toContain(".partial");
    const environment = readFileSync(folder.at("environment"), "utf8");
    expect(environment).toContain("HF_HUB_OFFLINE=1");
    expect(environment).not.toContain("BENCHTOP_TEST_KEY");
    expect(said.toSorted()).toEqual(["done", "half", "whole"]);
    expect(folder.names().filter((name) => name.startsWith(".") || name === "owned")).toEqual([]);
    expect(existsSync(join(outputPath, "config.json"))).toBe(true);
    expect(await convert({ python: fake, outputPath })).toMatchObject({ info: { error_code: "VALIDATION_FAILED" } });
  });

  test("is refused from anything but a folder of Hugging Face's layout, and what mlx_lm says of a failure is told", async () => {
    const fails = python("failing-python", 'mkdir "$6"; echo "ValueError: Model type x not supported." >&2; exit 1');
    expect(await convert({ python: fails })).toMatchObject({
      info: { error_code: "TOOL_FAILED" },
      message: expect.stringContaining("ValueError: Model type x not supported.") as unknown,
    });
    expect(await convert({ python: fails, sourcePath: folder.at("blob") })).toMatchObject({
      info: { error_code: "VALIDATION_FAILED" },
    });
    expect(folder.names().filter((name) => name.startsWith(".") || name === "out")).toEqual([]);
  });

  test("is given up when aborted, and Python with what it started is gone", async () => {
    const pids = folder.at("pids");
    const slow = python("slow-python", `mkdir "$6"; sleep 60 & echo $$ $! > ${pids}; echo begun; wait`);
    const abort = new AbortController();
    const outcome = mlxQuantize(
      { sourcePath, outputPath: folder.at("out"), python: slow },
      { onProgress: () => abort.abort(new Error("enough")) },
      abort.signal,
    );
    await expect(outcome).rejects.toThrow("enough");
    const started = readFileSync(pids, "utf8").trim().split(" ").map(Number);
    expect(started).toHaveLength(2);
    await expect.poll(() => started.some(isAlive)).toBe(false);
    expect(folder.names().filter((name) => name.startsWith(".") || name === "out")).toEqual([]);
  });
});
