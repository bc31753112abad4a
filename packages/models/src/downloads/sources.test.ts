import { readFileSync } from "node:fs";
import { afterAll, afterEach, expect, test } from "vitest";
import { ggufBytes, ggufParts, sha256Of } from "../../test/gguf-files.ts";
import {
  serveOllamaModel,
  serveRepository,
  startModelFileServer,
  type ModelFileServer,
} from "../../test/model-file-server.ts";
import { TemporaryDownloads, timeLimit } from "../../test/temporary-downloads.ts";
import { closeSharedStore } from "../../test/temporary-registry.ts";
import { Secret } from "../secret.ts";
import type { ModelRequest } from "../registry/source-text.ts";
import { parseModelRequest, requestText, sourceText } from "../registry/source-text.ts";
import { downloadGate } from "./download-gate.ts";
import { quantizationIn } from "./offer.ts";

let here: TemporaryDownloads;
let cdn: ModelFileServer | undefined;
const q4 = await ggufBytes({ seed: 4 });
const q8 = await ggufBytes({ seed: 8 });

afterEach(async () => {
  await here.remove();
  await cdn?.close();
  cdn = undefined;
});
afterAll(closeSharedStore);

async function install(request: ModelRequest, options: Parameters<typeof here.downloads.start>[1] = {}) {
  const { id } = await here.downloads.start(request, options, timeLimit());
  return here.downloads.ended(id, timeLimit());
}
const failureOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => undefined,
    (error: unknown) => error,
  );

test("P2.1 a repository of Hugging Face shows its models, and gives the one that is meant from the commit of then", async () => {
  here = await TemporaryDownloads.open();
  const parts = await ggufParts(2);
  const contents = {
    "README.md": Buffer.from("# Tiny"),
    "tiny-Q4_K_M.gguf": q4,
    "tiny-Q8_0.gguf": q8,
    "mmproj-F16.gguf": q8,
    "F16/tiny-F16-00001-of-00002.gguf": parts[0] ?? q4,
    "F16/tiny-F16-00002-of-00002.gguf": parts[1] ?? q4,
    "broken-00001-of-00009.gguf": q4,
    "../../up.gguf": q4,
  };
  const { commit } = serveRepository(here.server, "me/Tiny-GGUF", contents, { licence: "mit" });
  const choices = await here.downloads.choices({ type: "huggingface", repo: "me/Tiny-GGUF" }, {}, timeLimit());
  expect(
    choices.map(({ title, quantization, bytes, fitsDisk, installed }) => ({
      title,
      quantization,
      bytes,
      fitsDisk,
      installed,
    })),
  ).toEqual([
    { title: "tiny-Q4_K_M", quantization: "Q4_K_M", bytes: q4.length, fitsDisk: true, installed: null },
    { title: "tiny-Q8_0", quantization: "Q8_0", bytes: q8.length, fitsDisk: true, installed: null },
    {
      title: "F16/tiny-F16",
      quantization: "F16",
      bytes: (parts[0]?.length ?? 0) + (parts[1]?.length ?? 0),
      fitsDisk: true,
      installed: null,
    },
  ]);
  expect(choices[1]?.source).toBe(`hf:me/Tiny-GGUF/tiny-Q8_0.gguf@${commit}`);

  // With nothing said, the usual one; what the words of a choice say is that choice.
  expect(await install(parseModelRequest("hf:me/Tiny-GGUF"))).toMatchObject({ state: "done", name: "tiny-q4_k_m" });
  expect(await install(parseModelRequest(choices[1]?.source ?? ""))).toMatchObject({
    state: "done",
    name: "tiny-q8_0",
  });
  expect(await install(parseModelRequest("hf:me/Tiny-GGUF:f16"))).toMatchObject({ state: "done", name: "tiny-f16" });
  const model = await here.registry.get("tiny-q4_k_m");
  expect(model).toMatchObject({
    source: { type: "huggingface", repo: "me/Tiny-GGUF", revision: commit, files: ["tiny-Q4_K_M.gguf"] },
    sha256: sha256Of(q4),
    licence: "apache-2.0",
  });
  expect(sourceText(model.source)).toBe(`hf:me/Tiny-GGUF/tiny-Q4_K_M.gguf@${commit}`);
  expect(await here.registry.get("tiny-f16")).toMatchObject({ licence: "mit", files: [{}, {}] });
  const again = await here.downloads.choices(
    { type: "huggingface", repo: "me/Tiny-GGUF", quantization: "Q8_0" },
    {},
    timeLimit(),
  );
  expect(again).toMatchObject([{ installed: "tiny-q8_0" }]);

  for (const [request, code] of [
    ["hf:me/None", "NOT_FOUND"],
    ["hf:me/Tiny-GGUF:Q2_K", "NOT_FOUND"],
    ["hf:me/Tiny-GGUF/none.gguf", "NOT_FOUND"],
    ["hf:me/Tiny-GGUF@no-such-branch", "NOT_FOUND"],
  ] as const) {
    expect([request, await failureOf(install(parseModelRequest(request)))]).toEqual([
      request,
      expect.objectContaining({ code }),
    ]);
  }
});

test("P2.1 the token goes to Hugging Face and never to the host that it sends on to", async () => {
  const storage = await startModelFileServer();
  cdn = storage;
  let token: Secret | undefined;
  const readToken = async () => token;
  here = await TemporaryDownloads.open({ readToken });
  serveRepository(here.server, "me/gated", { "tiny-Q8_0.gguf": q8 }, { cdn, token: "hf_secret" });
  const request = parseModelRequest("hf:me/gated");
  expect(await failureOf(install(request))).toMatchObject({
    code: "PROVIDER_AUTH_FAILED",
    message: expect.stringContaining("Accept them on its page"),
  });
  token = new Secret("hf_secret");
  // Its storage is a host that nobody named.
  expect(await install(request)).toMatchObject({
    state: "failed",
    error: { code: "EGRESS_BLOCKED_BY_POLICY", message: expect.stringContaining(cdn.host) },
  });
  expect(cdn.requests).toEqual([]);
  await here.remove();

  here = await TemporaryDownloads.open({
    readToken,
    gateOptions: ({ url }) => ({ huggingFace: { baseUrl: url, hosts: [storage.host] } }),
  });
  serveRepository(here.server, "me/gated", { "tiny-Q8_0.gguf": q8 }, { cdn, token: "hf_secret" });
  expect(await install(request)).toMatchObject({ state: "done" });
  expect(cdn.requests.length).toBeGreaterThan(2);
  expect(cdn.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  // It was asked once where the file is, and not for every part of it.
  expect(here.server.requests.filter(({ path }) => path.includes("/resolve/"))).toHaveLength(1);
  expect(JSON.stringify([here.records, here.downloads.list(), await here.registry.list()])).not.toContain("hf_secret");
});

test("P2.1 an address that Hugging Face gave for a while is asked for again when it is good no more", async () => {
  here = await TemporaryDownloads.open();
  serveRepository(here.server, "me/tiny", { "tiny-Q8_0.gguf": q8 });
  const served = here.server.files.get(`/cdn/${sha256Of(q8)}`);
  if (!served) throw new Error("It serves that.");
  served.answer = (_request, response, count) => {
    if (count % 2 === 1) return false;
    response.writeHead(403).end();
    return true;
  };
  expect(await install(parseModelRequest("hf:me/tiny"))).toMatchObject({ state: "done" });
});

const layers = (model: Buffer) => [
  { kind: "model", body: model },
  { kind: "template", body: Buffer.from("{{ .Prompt }}") },
  { kind: "params", body: Buffer.from('{"stop":["</s>"]}') },
];

test("P2.1 a model of the Ollama library comes with its template, and again only where it has changed", async () => {
  here = await TemporaryDownloads.open();
  serveOllamaModel(here.server, "tiny", "latest", layers(q4));
  expect(await install(parseModelRequest("ollama:tiny"))).toMatchObject({
    state: "done",
    name: "tiny",
    source: "ollama:tiny:latest",
  });
  expect(await here.registry.get("tiny")).toMatchObject({
    sha256: sha256Of(q4),
    source: { type: "ollama", model: "tiny:latest" },
    defaults: { template: "{{ .Prompt }}", parameters: { stop: ["</s>"] } },
  });
  const sent = here.server.bytesSent();
  expect(await install(parseModelRequest("ollama:tiny"), { replace: true })).toMatchObject({ state: "done" });
  expect(here.server.bytesSent() - sent).toBeLessThan(2000);
  serveOllamaModel(here.server, "tiny", "latest", layers(q8));
  expect(await install(parseModelRequest("ollama:tiny"), { replace: true })).toMatchObject({ state: "done" });
  expect(readFileSync((await here.registry.paths("tiny")).weights)).toEqual(q8);
  // A layer that is not what the manifest says is not taken.
  const [, template] = layers(q4);
  here.server.files.set(`/v2/library/tiny/blobs/sha256:${sha256Of(template?.body ?? q4)}`, {
    body: Buffer.from("{{ .Prompt !}"),
  });
  expect(await failureOf(install(parseModelRequest("ollama:tiny"), { name: "other" }))).toMatchObject({
    code: "PROVIDER_UNAVAILABLE",
  });
  expect(await failureOf(install(parseModelRequest("ollama:none")))).toMatchObject({ code: "NOT_FOUND" });
});

test("P2.1 S8 a URL reaches its own host alone, by https, and this machine only where the operator allows it", async () => {
  cdn = await startModelFileServer();
  cdn.files.set("/tiny.gguf", { body: q4 });
  const elsewhere = `${cdn.url}/tiny.gguf`;
  here = await TemporaryDownloads.open({ gateOptions: () => ({ loopbackUrls: false }) });
  for (const url of [
    `${here.server.url}/tiny.gguf`,
    "http://models.example/tiny.gguf",
    "https://192.168.1.1/tiny.gguf",
    "https://localhost/x.gguf",
  ]) {
    expect([url, await failureOf(install({ type: "url", url }))]).toEqual([
      url,
      expect.objectContaining({ code: "EGRESS_BLOCKED_BY_POLICY" }),
    ]);
  }
  expect(here.server.requests).toEqual([]);
  await here.remove();

  here = await TemporaryDownloads.open();
  const sendOn = (location: string) =>
    here.server.files.set("/tiny.gguf", {
      body: q4,
      answer: (_request, response) => (response.writeHead(302, { location }).end(), true),
    });
  const request = { type: "url", url: `${here.server.url}/tiny.gguf` } as const;
  for (const location of [
    elsewhere,
    "https://models.example/tiny.gguf",
    "file:///etc/passwd",
    "http://169.254.169.254/",
  ]) {
    sendOn(location);
    expect([location, await failureOf(install(request))]).toEqual([
      location,
      expect.objectContaining({ code: "EGRESS_BLOCKED_BY_POLICY" }),
    ]);
  }
  expect(cdn.requests).toEqual([]);
  sendOn("/tiny.gguf");
  expect(await failureOf(install(request))).toMatchObject({ message: expect.stringContaining("without an end") });
  sendOn(elsewhere);
  expect(await install({ ...request, redirectHosts: [cdn.host] })).toMatchObject({ state: "done" });
});

test("P2.1 S8 Hugging Face and Ollama reach the hosts that are theirs, and those whose names only look like it are refused", async () => {
  const lookups: string[] = [];
  here = await TemporaryDownloads.open();
  const gate = downloadGate({
    record: () => undefined,
    resolve: async (hostname) => {
      lookups.push(hostname);
      return [{ address: "127.0.0.1", family: 4 }];
    },
  });
  const asking = (place: "huggingface" | "ollama", url: string) =>
    failureOf(gate.get(url, { maxBytes: 1 }, { place, workspaceId: "default", modelId: "m" }, timeLimit()));
  for (const [place, host] of [
    ["huggingface", "evilhf.co"],
    ["huggingface", "hf.co.evil.example"],
    ["huggingface", "cdn-lfs.hf.co:8443"],
    ["huggingface", "registry.ollama.ai"],
    ["ollama", "huggingface.co"],
    ["ollama", "r2.cloudflarestorage.com.evil.example"],
  ] as const) {
    expect([host, await asking(place, `https://${host}/x`)]).toEqual([
      host,
      expect.objectContaining({ code: "EGRESS_BLOCKED_BY_POLICY" }),
    ]);
  }
  expect(await asking("huggingface", "http://huggingface.co/x")).toMatchObject({ code: "EGRESS_BLOCKED_BY_POLICY" });
  expect(lookups).toEqual([]);
  for (const [place, host] of [
    ["huggingface", "huggingface.co"],
    ["huggingface", "cdn-lfs-us-1.hf.co"],
    ["huggingface", "cas-bridge.xethub.hf.co"],
    ["ollama", "registry.ollama.ai"],
    ["ollama", "dd20bb891979d25aebc8bec07b2b3bbc.r2.cloudflarestorage.com"],
  ] as const) {
    // These pass, and end at the check of the address that the name leads to.
    expect([host, await asking(place, `https://${host}/x`)]).toEqual([
      host,
      expect.objectContaining({ message: expect.stringContaining("127.0.0.1") }),
    ]);
  }
  expect(lookups).toHaveLength(5);
  await gate.close();
  const wild = { type: "url", url: `${here.server.url}/x.gguf`, redirectHosts: ["*.example"] } as const;
  expect(await failureOf(install(wild))).toMatchObject({ code: "VALIDATION_FAILED" });
});

test("P2.1 sources are read as people write them, and nothing else is", async () => {
  here = await TemporaryDownloads.open();
  const read = {
    "hf:Qwen/Qwen2.5-7B-GGUF": { type: "huggingface", repo: "Qwen/Qwen2.5-7B-GGUF" },
    "hf:a/b:Q4_K_M@v1.0": { type: "huggingface", repo: "a/b", quantization: "Q4_K_M", revision: "v1.0" },
    "hf:a/b/dir/x.gguf@main": { type: "huggingface", repo: "a/b", file: "dir/x.gguf", revision: "main" },
    "ollama:qwen2.5:7b": { type: "ollama", model: "qwen2.5:7b" },
    "ollama:me/x:latest": { type: "ollama", model: "me/x:latest" },
    "https://models.example/x.gguf?a=b": { type: "url", url: "https://models.example/x.gguf?a=b" },
    "/models/x.gguf": { type: "file", path: "/models/x.gguf" },
  } as const;
  for (const [text, request] of Object.entries(read)) {
    expect(parseModelRequest(text)).toEqual(request);
    expect(requestText(request)).toBe(text.replace("?a=b", ""));
  }
  expect(parseModelRequest("https://huggingface.co/a/b/blob/main/x%20y.gguf?download=true")).toEqual({
    type: "huggingface",
    repo: "a/b",
    revision: "main",
    file: "x y.gguf",
  });
  for (const text of [
    "",
    "qwen",
    "hf:",
    "hf:a/../b",
    "hf:../../x",
    "hf:a/b/../c.gguf",
    "hf:a/b/x.bin",
    "hf:a/b/x\\y.gguf",
    "hf:a/b@../../x",
    "hf:a/b:Q4 K",
    "hf:a/b?x=y",
    "ollama:",
    "ollama:../x",
    "ftp://x/y.gguf",
    "https://user:pass@x/y.gguf",
    "file://server/share/x.gguf",
    "javascript:alert(1)",
  ]) {
    expect(() => parseModelRequest(text)).toThrow(expect.objectContaining({ code: "VALIDATION_FAILED" }));
  }
  expect(
    ["x-Q4_K_M", "x.IQ3_XXS", "x-UD-Q2_K_XL", "x-f16", "x-BF16", "x-7b", "Q8_0/x", "x-MXFP4"].map(quantizationIn),
  ).toEqual(["Q4_K_M", "IQ3_XXS", "UD-Q2_K_XL", "F16", "BF16", null, "Q8_0", "MXFP4"]);
});
