/**
 * Where the examples find a model: the environment names a real one; `--loopback` starts a small server on this machine
 * that speaks the same protocol and plays a script, so that the examples run without a network or an account.
 */
import { openaiChat, openaiResponses, type ProviderAdapter } from "@benchtop/harness";
import { frames, LoopbackServer, openaiChatDialect, type ScriptedAnswer } from "@benchtop/harness/conformance";

export interface ExampleModel {
  readonly provider: ProviderAdapter;
  /** `provider/model`. */
  readonly ref: string;
  close(): Promise<void>;
}

/** Where a model is, for a daemon that is to ask it. */
export interface ExamplePlace {
  readonly kind: "openai-chat" | "openai-responses";
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  /** On this machine: by plain http, and nothing leaves. */
  readonly local: boolean;
  readonly modelId: string;
  close(): Promise<void>;
}

/** `script` is what the loopback server answers, one answer a request; a real model does not see it. */
export async function exampleModel(script: readonly ScriptedAnswer[]): Promise<ExampleModel> {
  const place = await examplePlace(script);
  const id = process.argv.includes("--loopback") ? "loopback" : "openai";
  const at = { id, baseUrl: place.baseUrl, apiKey: place.apiKey };
  const provider = place.kind === "openai-chat" ? openaiChat(at) : openaiResponses(at);
  return { provider, ref: `${id}/${place.modelId}`, close: () => place.close() };
}

export async function examplePlace(script: readonly ScriptedAnswer[]): Promise<ExamplePlace> {
  if (process.argv.includes("--loopback")) return loopbackPlace(script);
  const { OPENAI_BASE_URL: baseUrl, OPENAI_API_KEY: apiKey, MODEL: modelId } = process.env;
  if (!modelId || (!apiKey && !baseUrl)) {
    console.error(
      [
        "This example asks a real model. Say which one, for example:",
        "  OPENAI_API_KEY=sk-… MODEL=gpt-5.2 node " + process.argv[1],
        "  OPENAI_BASE_URL=http://127.0.0.1:11434/v1 MODEL=llama3.2 node " + process.argv[1],
        "or run it without one, against a scripted server on this machine: add --loopback",
      ].join("\n"),
    );
    process.exit(2);
  }
  const kind = baseUrl ? "openai-chat" : "openai-responses";
  const place = { kind, baseUrl: baseUrl || "https://api.openai.com/v1", apiKey, modelId } as const;
  const local = /^(127\.0\.0\.1|localhost|\[::1\])$/.test(new URL(place.baseUrl).hostname);
  return { ...place, local, close: async () => {} };
}

async function loopbackPlace(script: readonly ScriptedAnswer[]): Promise<ExamplePlace> {
  console.error("(--loopback: the answers come from a script on this machine, not from a model)");
  let asked = 0;
  const server = await LoopbackServer.start(() => {
    const answer = script[Math.min(asked, script.length - 1)] ?? {};
    asked += 1;
    return { chunks: openaiChatDialect.events(answer).map((event) => frames([event])) };
  });
  const place = { kind: "openai-chat", baseUrl: server.url, apiKey: undefined, modelId: "scripted" } as const;
  return { ...place, local: true, close: () => server.close() };
}
