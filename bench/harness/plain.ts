import type { Measured } from "./measured.ts";

/** The least that a reader of a stream can do: `fetch`, split, `JSON.parse`. */
export const measured: Measured = {
  name: "plain `fetch` + SSE split + `JSON.parse`",
  open: async () => ({ answer, callTools: async () => 0, close: async () => undefined }),
};

async function answer(baseUrl: string, hear: (text: string) => void): Promise<void> {
  const response = await fetch(`${baseUrl}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "bench", stream: true, messages: [{ role: "user", content: "Go." }] }),
  });
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of response.body ?? []) {
    const frames = (rest + decoder.decode(bytes, { stream: true })).split("\n\n");
    rest = frames.pop() ?? "";
    for (const frame of frames) {
      const data = frame.slice("data: ".length);
      if (data === "[DONE]") return;
      const chunk = JSON.parse(data) as { choices: { delta: { content?: string } }[] };
      hear(chunk.choices[0]?.delta.content ?? "");
    }
  }
}
