import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ollama } from "ollama";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ggufBytes } from "../../../models/test/gguf-files.ts";
import {
  serveOllamaModel,
  startModelFileServer,
  type ModelFileServer,
} from "../../../models/test/model-file-server.ts";
import { installEmbedding, installScripted } from "../../test/scripted-models.ts";
import { startTestDaemon, type TestDaemon } from "../../test/test-daemon.ts";

let folder: string;
let daemon: TestDaemon;
let ollama: Ollama;
let library: ModelFileServer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-ollama-"));
  library = await startModelFileServer();
  const config = { models: { ollama: { baseUrl: library.url } } };
  daemon = await startTestDaemon({ home: join(folder, "home"), config });
  await installScripted(daemon, folder, "poet", { script: "Roses are red, violets are blue." });
  await installScripted(daemon, folder, "talker", { script: "and on it goes without end ", endless: true });
  await installEmbedding(daemon, folder, "vectors");
  ollama = new Ollama({ host: daemon.url, headers: { Authorization: `Bearer ${daemon.token}` } });
}, 60_000);
afterAll(async () => {
  await daemon.close();
  await library.close();
  await rm(folder, { recursive: true, force: true });
});

const question = [{ role: "user", content: "Say something." }];

describe("P2.3 the ollama client against Benchtop", () => {
  test("lists what is installed, and shows one of it", async () => {
    const { models } = await ollama.list();
    expect(models.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["poet:latest", "talker:latest", "vectors:latest"]),
    );
    const poet = models.find(({ name }) => name === "poet:latest");
    expect(poet).toMatchObject({ size: expect.any(Number), details: { format: "gguf", family: "llama" } });
    const shown = await ollama.show({ model: "poet" });
    expect(shown).toMatchObject({ details: { family: "llama" }, capabilities: ["completion"] });
    expect(shown.template).toContain("message");
    expect((await ollama.show({ model: "vectors" })).capabilities).toEqual(["embedding"]);
  });

  test("chats in a stream: each piece as it comes, then the counts", async () => {
    let text = "";
    let last: Awaited<ReturnType<typeof ollama.generate>> | undefined;
    let lines = 0;
    for await (const part of await ollama.chat({ model: "poet", messages: question, stream: true })) {
      text += part.message.content;
      lines += 1;
      last = part as never;
    }
    expect(text).toBe("Roses are red, violets are blue.");
    expect(lines).toBeGreaterThan(1);
    expect(last).toMatchObject({ done: true, done_reason: "stop", eval_count: expect.any(Number) });
    expect(last?.eval_count).toBeGreaterThan(3);
  });

  test("chats and generates whole answers, cut where it is told to", async () => {
    const { message } = await ollama.chat({ model: "poet:latest", messages: question });
    expect(message).toMatchObject({ role: "assistant", content: "Roses are red, violets are blue." });
    const cut = await ollama.generate({ model: "poet", prompt: "Say something.", options: { num_predict: 2 } });
    expect(cut.done_reason).toBe("length");
    expect(cut.response).not.toBe("");
    expect("Roses are red, violets are blue.".slice(0, cut.response?.length)).toBe(cut.response);
  });

  test("each answer is a run with a journal, titled by its question", async () => {
    await ollama.chat({ model: "poet", messages: [{ role: "user", content: "Who wrote this?" }] });
    const { items } = (await (await daemon.fetch("/api/v1/runs?limit=1&kind=chat")).json()) as {
      items: { title: string; modelId: string; status: string; outputTokens: number }[];
    };
    expect(items[0]).toMatchObject({ title: "Who wrote this?", modelId: "poet", status: "success" });
  });

  test("embeds one text and several, as vectors of length 1", async () => {
    const { embeddings } = await ollama.embed({ model: "vectors", input: ["one text", "another", "one text"] });
    expect(embeddings).toHaveLength(3);
    expect(embeddings[0]).toEqual(embeddings[2]);
    const length = Math.hypot(...(embeddings[1] ?? []));
    expect(length).toBeCloseTo(1, 5);
    const { embedding } = await ollama.embeddings({ model: "vectors", prompt: "one text" });
    expect(embedding).toHaveLength(embeddings[0]?.length ?? 0);
  });

  test("says what runs, and loads and unloads on demand", async () => {
    await ollama.chat({ model: "poet", messages: [], keep_alive: "10m" });
    expect((await ollama.ps()).models.map(({ name }) => name)).toContain("poet:latest");
    await ollama.chat({ model: "poet", messages: [], keep_alive: 0 });
    expect((await ollama.ps()).models.map(({ name }) => name)).not.toContain("poet:latest");
  });

  test("a client that goes away ends the run", async () => {
    const stream = await ollama.chat({ model: "talker", messages: question, stream: true });
    let heard = 0;
    const listening = (async () => {
      for await (const _ of stream) if (++heard === 5) stream.abort();
    })();
    await expect(listening).rejects.toThrow(/abort/i);
    await expect
      .poll(async () => {
        const { items } = (await (await daemon.fetch("/api/v1/runs?limit=1&kind=chat")).json()) as {
          items: { errorCode: string | null }[];
        };
        return items[0]?.errorCode;
      })
      .toBe("USER_CANCELED");
  });

  test("errors are told in its own words, with a status", async () => {
    await expect(ollama.chat({ model: "nobody", messages: question })).rejects.toMatchObject({
      error: expect.stringContaining("nobody"),
    });
    await expect(ollama.show({ model: "nobody" })).rejects.toMatchObject({ status_code: 404 });
    await expect(ollama.generate({ model: "poet", prompt: "x", raw: true })).rejects.toThrow(/template/);
    await expect(ollama.create({ model: "copy", from: "poet" })).rejects.toMatchObject({ status_code: 501 });
    const stranger = new Ollama({ host: daemon.url });
    await expect(stranger.list()).rejects.toMatchObject({ status_code: 401 });
  });

  test("pulls from a library with progress, and deletes", async () => {
    const body = await ggufBytes({ bytes: 400_000 });
    serveOllamaModel(library, "tiny", "1m", [{ kind: "model", body }]);
    const told: string[] = [];
    let most = 0;
    for await (const { status, completed } of await ollama.pull({ model: "tiny:1m", stream: true })) {
      told.push(status);
      most = Math.max(most, completed ?? 0);
    }
    expect(told[0]).toBe("pulling manifest");
    expect(told.at(-1)).toBe("success");
    const size = async () => (await ollama.list()).models.find(({ name }) => name === "tiny-1m:latest")?.size;
    expect(await size()).toBe(body.length);
    expect(most).toBeLessThanOrEqual(body.length);
    expect(await ollama.pull({ model: "tiny:1m" })).toEqual({ status: "success" });
    await ollama.delete({ model: "tiny:1m" });
    expect(await size()).toBeUndefined();
    await expect(ollama.pull({ model: "nobody:1m" })).rejects.toThrow(/nobody/);
  });
});
