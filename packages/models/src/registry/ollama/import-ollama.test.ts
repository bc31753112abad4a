import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { ggufBytes, sha256Of } from "../../../test/gguf-files.ts";
import { closeSharedStore, TemporaryRegistry } from "../../../test/temporary-registry.ts";
import { parseOllamaManifest, parseOllamaName } from "./manifest.ts";

let temporary: TemporaryRegistry;
let dir: string;
let file: Buffer;
const never = new AbortController().signal;

beforeEach(async () => {
  file ??= await ggufBytes();
  temporary = await TemporaryRegistry.open();
  dir = join(temporary.folder, "ollama");
  mkdirSync(join(dir, "blobs"), { recursive: true });
});
afterEach(() => temporary.remove());
afterAll(closeSharedStore);

/** A library as Ollama keeps it. */
function keep(
  name: string,
  tag: string,
  layers: readonly { readonly kind: string; readonly body: Buffer | string }[],
): void {
  const folder = join(dir, "manifests", "registry.ollama.ai", "library", name);
  mkdirSync(folder, { recursive: true });
  const described = layers.map(({ kind, body }) => {
    const bytes = Buffer.from(body);
    writeFileSync(join(dir, "blobs", `sha256-${sha256Of(bytes)}`), bytes);
    return {
      mediaType: `application/vnd.ollama.image.${kind}`,
      digest: `sha256:${sha256Of(bytes)}`,
      size: bytes.length,
    };
  });
  writeFileSync(join(folder, tag), JSON.stringify({ schemaVersion: 2, layers: described }));
}

test("P2.1 a model of Ollama is installed with its template, parameters and licence", async () => {
  keep("tiny", "1b", [
    { kind: "model", body: file },
    { kind: "template", body: "{{ .Prompt }}" },
    { kind: "system", body: "Be short." },
    { kind: "params", body: '{"stop":["<|end|>"],"temperature":0.7}' },
    { kind: "license", body: "\n   Apache License\n  Version 2.0" },
    { kind: "projector", body: "not used here" },
  ]);
  const model = await temporary.registry.importOllama({ model: "tiny:1b", dir }, never);
  expect(model).toMatchObject({
    name: "tiny-1b",
    source: { type: "ollama", model: "tiny:1b" },
    files: [{ path: "model.gguf", sha256: sha256Of(file) }],
    licence: "apache-2.0",
    defaults: {
      template: "{{ .Prompt }}",
      system: "Be short.",
      parameters: { stop: ["<|end|>"], temperature: 0.7 },
    },
  });
  expect(readFileSync((await temporary.registry.paths("tiny-1b")).weights)).toEqual(file);
  keep("linked", "latest", [{ kind: "model", body: await ggufBytes({ seed: 9 }) }]);
  await temporary.registry.importOllama({ model: "linked", dir, link: true }, never);
  expect(statSync((await temporary.registry.paths("linked")).weights).nlink).toBe(2);
});

test("P2.1 a library that is damaged, or points elsewhere, installs nothing", async () => {
  const importing = (model: string) => temporary.registry.importOllama({ model, dir }, never);
  await expect(importing("none:1b")).rejects.toMatchObject({ code: "NOT_FOUND" });
  for (const name of ["../../etc/passwd", "a/b/c", "a:../b", ".hidden", "a:", "https://x/y", ""]) {
    await expect(importing(name)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
  }
  keep("cloud", "latest", [{ kind: "template", body: "x" }]);
  await expect(importing("cloud")).rejects.toThrow("no GGUF file");
  keep("short", "latest", [{ kind: "model", body: file }]);
  const blob = join(dir, "blobs", `sha256-${sha256Of(file)}`);
  writeFileSync(blob, file.subarray(0, 100));
  await expect(importing("short")).rejects.toMatchObject({ code: "FILE_READ_FAILED" });
  writeFileSync(blob, Buffer.alloc(file.length));
  await expect(importing("short")).rejects.toMatchObject({ code: "FILE_READ_FAILED" });
  const folder = join(dir, "manifests", "registry.ollama.ai", "library", "device");
  mkdirSync(folder, { recursive: true });
  symlinkSync("/dev/zero", join(folder, "latest"));
  await expect(importing("device")).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
  expect(temporary.filesLeft()).toEqual([]);
});

const layer = (kind: string, size = 1) => ({
  mediaType: `application/vnd.ollama.image.${kind}`,
  digest: `sha256:${"a".repeat(64)}`,
  size,
});

test("P2.1 a manifest is read for what it is, whoever wrote it", () => {
  for (const text of [
    "",
    "null",
    "[]",
    '{"schemaVersion":1,"layers":[]}',
    '{"schemaVersion":2,"layers":[{"mediaType":"x","digest":"sha256:../..","size":1}]}',
  ]) {
    expect(() => parseOllamaManifest(text)).toThrow("no manifest");
  }
  const parsed = parseOllamaManifest(
    JSON.stringify({ schemaVersion: 2, layers: [layer("adapter"), layer("model"), layer("template", 2 ** 30)] }),
  );
  expect(parsed.files.map(({ role }) => role)).toEqual(["weights", "adapter"]);
  expect(parsed).toMatchObject({ texts: [], leftOut: ["template"] });
  expect(parseOllamaName("me/tiny:1b")).toEqual({ namespace: "me", name: "tiny", tag: "1b" });
});
