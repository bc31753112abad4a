import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOpenAI } from "@ai-sdk/openai";
import { Harness, memoryJournal, openaiChat } from "@benchtop/harness";
import type { Journal } from "@benchtop/protocol";
import { openStore } from "@benchtop/store";
import { streamText } from "ai";

/** Streams one answer from a base URL and returns its text, as an application would: each piece as it comes. */
export interface Contender {
  readonly name: string;
  stream(baseUrl: string): Promise<string>;
  close(): Promise<void>;
}

export const peer = "AI SDK 7 `streamText`, no journal";

export async function contenders(): Promise<readonly Contender[]> {
  const home = await mkdtemp(join(tmpdir(), "benchtop-tokens-"));
  const store = await openStore({ home });
  return [
    { name: "plain `fetch` + SSE split + `JSON.parse`", stream: plain, close: async () => {} },
    { name: peer, stream: aiSdk, close: async () => {} },
    {
      name: "Benchtop harness, memory journal",
      stream: (url) => benchtop(url, memoryJournal()),
      close: async () => {},
    },
    {
      name: "Benchtop harness, durable journal (SQLite)",
      stream: (url) => benchtop(url, store.journal),
      close: async () => {
        await store.close();
        await rm(home, { recursive: true });
      },
    },
  ];
}

async function plain(baseUrl: string): Promise<string> {
  const response = await fetch(`${baseUrl}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "bench", stream: true, messages: [{ role: "user", content: "Go." }] }),
  });
  const decoder = new TextDecoder();
  let text = "";
  let rest = "";
  for await (const bytes of response.body ?? []) {
    const frames = (rest + decoder.decode(bytes, { stream: true })).split("\n\n");
    rest = frames.pop() ?? "";
    for (const frame of frames) {
      const data = frame.slice("data: ".length);
      if (data === "[DONE]") return text;
      const chunk = JSON.parse(data) as { choices: { delta: { content?: string } }[] };
      text += chunk.choices[0]?.delta.content ?? "";
    }
  }
  return text;
}

async function aiSdk(baseUrl: string): Promise<string> {
  const openai = createOpenAI({ baseURL: baseUrl, apiKey: "none" });
  const { textStream } = streamText({ model: openai.chat("bench"), prompt: "Go." });
  let text = "";
  for await (const piece of textStream) text += piece;
  return text;
}

async function benchtop(baseUrl: string, journal: Journal): Promise<string> {
  const harness = Harness.builder()
    .provider(openaiChat({ id: "bench", baseUrl }))
    .journal(journal)
    .build();
  const handle = await harness.session({ model: "bench/bench" }).run("Go.").start();
  let text = "";
  for await (const event of handle) if (event.type === "OutputDelta") text += event.text;
  const { error } = await handle.result;
  if (error) throw error;
  return text;
}
