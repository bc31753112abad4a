import { createHash } from "node:crypto";
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeGguf } from "../../packages/llama/src/gguf/write.ts";
import { tinyModel } from "../../packages/llama/test/tiny-model.ts";
import { tinyScriptedModel } from "../../packages/llama/test/tiny-scripted-model.ts";
import { finished, Home, type Running } from "./home.ts";
import { serveSlowly, type SlowFiles } from "./slow-files.ts";

/** `benchtop models …`, and models of this machine in `run` and `chat`: one daemon, and models that llama.cpp runs for real. */

let home: Home;
let server: SlowFiles;

beforeAll(async () => {
  home = await Home.create();
  await home.configure({ models: { loopbackUrls: true } });
  const answers = [{ after: "capital", script: "Paris is the capital. " }];
  await writeGguf(join(home.files, "tiny.gguf"), tinyScriptedModel({ script: "I do not know. ", answers }));
  await writeGguf(join(home.files, "vectors.gguf"), tinyModel({ embeds: true, name: "Vectors" }));
  await writeGguf(join(home.files, "far.gguf"), tinyModel({ seed: 7, name: "Far" }));
  server = await serveSlowly({
    "far.gguf": await readFile(join(home.files, "far.gguf")),
    "page.gguf": Buffer.from("<!doctype html><title>Sign in</title>"),
  });
  await home.ok("models", "install", "./tiny.gguf");
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

async function piped(words: readonly string[], input: string) {
  const child = home.start(words);
  child.stdin.end(input);
  return await finished(child);
}

/** Resolves once the command has said something of this on standard error. */
async function saysOnError(child: Running, text: string): Promise<void> {
  let seen = "";
  for await (const chunk of child.stderr.iterator({ destroyOnReturn: false })) {
    seen += String(chunk);
    if (seen.includes(text)) return;
  }
  throw new Error(`ended before it said ${text}: ${seen}`);
}

test("P2.1 a file of this folder is installed, listed and shown, and says how to ask it", async () => {
  const installed = await home.ok("models", "install", "vectors.gguf", "--name", "vectors");
  expect(installed.stdout).toMatch(/✓ Installed benchtop\/vectors \(\d+ kB\)\./);
  expect(installed.stdout).toContain("benchtop models embed");
  const listed = (await home.ok("models", "installed")).stdout;
  expect(listed).toMatch(/^NAME +KIND +SIZE +QUANTIZATION +PARAMETERS +CONTEXT +LOADED +PINNED +LAST USED/);
  expect(listed).toMatch(/^tiny +model +1\.\d MB +F32/m);
  expect(listed).toMatch(/^vectors +embeddings/m);
  expect(listed).toMatch(/^Models take .* of the disk are free\.$/m);
  expect((await home.ok("models", "list")).stdout).toMatch(/^benchtop\/tiny .*this machine, no consent needed/m);
  const shown = (await home.ok("models", "show", "benchtop/tiny")).stdout;
  expect(shown).toContain(join(home.files, "tiny.gguf"));
  expect(shown).toMatch(/Licence +apache-2\.0/);
  expect(shown).toContain("<|im_start|>");
});

test("P2.3 a model of this machine answers in run and chat, without consent, and is loaded then", async () => {
  const run = await home.ok("run", "Which city is the capital?", "--model", "benchtop/tiny");
  expect(run.stdout).toBe("Paris is the capital. \n");
  const chat = await piped(["chat", "benchtop/tiny"], "Who are you?\nAnd the capital?\n");
  expect([chat.code, chat.stdout]).toEqual([0, "I do not know. \nParis is the capital. \n"]);
  expect(chat.stderr).toMatch(/Completed · .* in \+ \d+ out tokens/);
  const running = (await home.ok("models", "ps")).stdout;
  expect(running).toMatch(/^tiny +ready +/m);
  expect(running).toMatch(/^Models take .* of the machine's .* are free\.$/m);
  expect((await home.ok("models", "installed")).stdout).toMatch(/^tiny .* yes .*just now$/m);
});

test("P2.3 a model is loaded and unloaded by hand, and one that is loaded is not removed", async () => {
  const loaded = await home.ok("models", "load", "tiny", "--context", "256", "--keep-alive", "forever");
  expect(loaded.stdout).toMatch(/tiny is loaded: .*reads 256 tokens, on \w+, stays\./);
  expect((await home.run(["models", "remove", "tiny"])).stderr).toContain("Unload it first");
  expect((await home.ok("models", "unload", "tiny")).stdout).toContain("not loaded any more");
  expect((await home.ok("models", "ps")).stdout).toContain("No model is loaded.");
  const missing = await home.run(["models", "load", "nobody"]);
  expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining("benchtop models installed")]);
});

test("P2.1 a model is pinned, taken to another machine in a bundle, and its damage is found", async () => {
  await home.ok("models", "pin", "vectors");
  expect((await home.run(["models", "remove", "vectors"])).stderr).toContain("Unpin it first");
  expect((await home.ok("models", "export", "vectors", "--to", "models.bundle")).stdout).toContain(
    `Wrote 1 model to ${join(home.files, "models.bundle")}`,
  );
  const { files } = await (await home.client()).call("localModels.get", { name: "vectors" });
  await appendFile(join(home.home, "models", "vectors", files[0]?.path ?? ""), "x");
  const damaged = await home.run(["models", "verify", "vectors"]);
  expect([damaged.code, damaged.stdout]).toEqual([1, expect.stringContaining("vectors is damaged")]);
  await home.ok("models", "unpin", "vectors");
  expect((await home.ok("models", "remove", "vectors")).stdout).toMatch(/Removed vectors: \d+ kB are free again/);
  expect((await home.ok("models", "import", "models.bundle")).stdout).toContain("Installed benchtop/vectors");
});

test("P2.4 vectors of texts come one a line, and are kept", async () => {
  const words = ["models", "embed", "one text", "another", "--model", "benchtop/vectors"];
  const vectors = (await home.ok(...words)).stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as number[]);
  expect(vectors.map((vector) => vector.length)).toEqual([64, 64]);
  expect(vectors.map((vector) => Math.hypot(...vector))).toEqual([expect.closeTo(1, 4), expect.closeTo(1, 4)]);
  expect((await home.ok(...words)).stderr).toContain("2 vectors kept from before");
});

test("P2.1 limits are shown and changed, and a size without its unit is refused", async () => {
  const limits = ["--quota", "50GB", "--bandwidth", "10MB", "--keep-alive", "10m", "--hugging-face-token-env", "HF"];
  const changed = (await home.run(["models", "limits", ...limits], { HF: "hf_secret" })).stdout;
  expect(changed).toMatch(/^Disk +50 GB\nBandwidth +10 MB\/s\nMemory +a share of this machine's\nKeep alive +10 min\n/);
  expect(changed).toContain("your token is kept");
  expect(changed).not.toContain("hf_secret");
  const none = ["--quota", "none", "--bandwidth", "none", "--keep-alive", "forever", "--forget-hugging-face-token"];
  const lifted = (await home.ok("models", "limits", ...none)).stdout;
  expect(lifted).toMatch(/^Disk +no limit\nBandwidth +no limit\n.*\nKeep alive +forever\nHugging Face +no token\n/);
  expect((await home.run(["models", "limits", "--quota", "50"])).code).toBe(2);
});

test("P2.1 Ctrl-C leaves a download to the daemon, which can be paused, resumed and watched to its end", async () => {
  server.hold();
  const child = home.start(["models", "install", `${server.url}/far.gguf`]);
  child.stdin.end();
  await saysOnError(child, "far · ");
  const ended = finished(child);
  child.kill("SIGINT");
  const { code, stderr } = await ended;
  expect(code).toBe(130);
  expect(stderr).toContain("benchtop models downloads");
  expect((await home.ok("models", "pause", "far")).stdout).toContain("Paused far;");
  const { items } = await (await home.client()).call("modelDownloads.list", {});
  expect(items.find(({ name }) => name === "far")?.state).toBe("paused");
  expect((await home.ok("models", "resume", "far")).stdout).toContain("on its way again");
  server.release();
  const watched = await home.ok("models", "downloads", "--watch");
  expect(watched.stdout).toMatch(/far +done +\d+ kB of \d+ kB/);
  expect((await home.ok("models", "verify", "far")).stdout).toContain("as it was installed");
  const again = await home.run(["models", "pause", "far"]);
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining("There is no download far here.")]);
});

test("P2.1 what is no model, or not the one that was asked for, is not installed", async () => {
  const page = await home.run(["models", "install", `${server.url}/page.gguf`]);
  expect(page.code).not.toBe(0);
  const sha256 = createHash("sha256").update("another file").digest("hex");
  const other = await home.run(["models", "install", `${server.url}/far.gguf`, "--name", "other", "--sha256", sha256]);
  expect(other.code).toBe(1);
  expect(other.stderr).toMatch(/✗ .*its sha256 is another.*\[PROVIDER_UNAVAILABLE\]/);
  const json = await home.run(["models", "install", "./missing.gguf", "--json"]);
  expect(json.code).not.toBe(0);
  expect(json.error().error_code).toBe("NOT_FOUND");
  const { items } = await (await home.client()).call("localModels.list", {});
  expect(items.map(({ name }) => name)).not.toContain("other");
});

test("P2.1 a download that is canceled is gone, and the one who waits for it is told", async () => {
  server.hold();
  const child = home.start(["models", "install", `${server.url}/far.gguf`, "--name", "gone"]);
  child.stdin.end();
  await saysOnError(child, "gone · ");
  const ended = finished(child);
  expect((await home.ok("models", "cancel", "gone")).stdout).toContain("Canceled gone");
  const { code, stderr } = await ended;
  expect([code, stderr]).toEqual([1, expect.stringContaining("was canceled")]);
  server.release();
});

test("P2.2 a smaller copy is made, measured, and can be asked", async () => {
  await home.write({ "text.txt": "The capital is a city. ".repeat(400) });
  const words = ["models", "quantize", "tiny", "--to", "Q8_0", "--as", "small"];
  const made = await home.ok(...words, "--measure", "text.txt");
  expect(made.stderr).toMatch(/^quantizing/m);
  expect(made.stderr).toMatch(/^measuring/m);
  expect(made.stdout).toMatch(/✓ small is tiny as Q8_0, with \d+ % of its size\..*perplexity/);
  expect(made.stdout).toContain("benchtop chat benchtop/small");
  const asked = await home.ok("run", "The capital?", "--model", "benchtop/small");
  expect(asked.stdout).toBe("Paris is the capital. \n");
  expect((await home.run([...words, "--json"])).error().message).toContain("small");
});

test("a small model is trained on examples, line by line, and can be asked", async () => {
  const pairs = ["one", "two", "three", "four"].map((word) => ({ prompt: `say ${word}`, completion: word }));
  await home.write({ "examples.jsonl": pairs.map((pair) => JSON.stringify(pair)).join("\n") });
  const size = ["--layers", "1", "--width", "32", "--heads", "2", "--feed-forward", "64", "--vocabulary", "300"];
  const words = ["models", "train", "taught", "--examples", "examples.jsonl", "--steps", "4", "--context", "64"];
  const trained = await home.ok(...words, ...size);
  expect(trained.stdout).toContain("benchtop chat benchtop/taught");
  expect(trained.stderr).toMatch(/loss \d/);
  expect((await home.run([...words, "--layers", "1"])).stderr).toContain("together");
});

test("Ctrl-C stops a training and says how to go on with it; before its first checkpoint there is nothing to go on from", async () => {
  const size = ["--layers", "1", "--width", "32", "--heads", "2", "--feed-forward", "64", "--vocabulary", "300"];
  const child = home.start(["models", "train", "long", "--examples", "examples.jsonl", "--steps", "1000000", ...size]);
  child.stdin.end();
  await saysOnError(child, "loss ");
  const ended = finished(child);
  child.kill("SIGINT");
  const { code, stderr } = await ended;
  expect(code).toBe(130);
  const [, runId = ""] = /`benchtop models resume-training (run_\w+)`/.exec(stderr) ?? [];
  const resumed = await home.run(["models", "resume-training", runId]);
  expect([resumed.code, resumed.stderr]).toEqual([2, expect.stringContaining("There is no checkpoint")]);
});
