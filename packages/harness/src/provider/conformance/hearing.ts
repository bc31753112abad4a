import assert from "node:assert/strict";
import { BenchtopError } from "@benchtop/protocol";
import type { ProviderAdapter, ProviderPart, ProviderRequest } from "../provider.ts";
import { LoopbackServer, type ReceivedRequest, type Reply } from "./loopback-server.ts";
import { apiKey, never } from "./script.ts";

/** Makes the adapter under test. `apiKey` is the key that it must send and never show. */
export type Connect = (options: { readonly baseUrl: string; readonly apiKey: string }) => ProviderAdapter;

/** What an adapter gave of one answer, put together. */
export interface Heard {
  readonly text: string;
  readonly reasoning: string;
  readonly refusal: string;
  readonly calls: readonly ProviderPart[];
  readonly usage: unknown;
  readonly finish: string | undefined;
  readonly requests: readonly ReceivedRequest[];
}

export async function ask(
  connect: Connect,
  reply: (request: ReceivedRequest) => Reply,
  request: ProviderRequest,
): Promise<Heard> {
  const server = await LoopbackServer.start(reply);
  try {
    const parts: ProviderPart[] = [];
    const batches: (readonly ProviderPart[])[] = [];
    for await (const batch of connect({ baseUrl: server.url, apiKey }).stream(request, never)) batches.push(batch);
    assert.deepEqual(batches.shift(), [], "the first batch is empty");
    parts.push(...batches.flat());
    const finishes = parts.filter((part) => part.type === "finish");
    assert.equal(finishes.length, 1, "there is exactly one finish");
    assert.equal(parts.at(-1)?.type, "finish", "the finish is last");
    return {
      text: textIn(parts, "text"),
      reasoning: textIn(parts, "reasoning"),
      refusal: textIn(parts, "refusal"),
      calls: parts.filter((part) => part.type === "tool-call"),
      usage: parts.find((part) => part.type === "usage")?.usage,
      finish: finishes[0]?.reason,
      requests: server.requests,
    };
  } finally {
    await server.close();
  }
}

export async function said(heard: Promise<Heard>): Promise<object> {
  const { reasoning, text, calls, usage, finish } = await heard;
  return { reasoning, text, calls, usage, finish };
}

export async function failure(
  connect: Connect,
  reply: Reply,
  request: ProviderRequest,
  parts: ProviderPart[] = [],
): Promise<BenchtopError> {
  return withServer(reply, (server) =>
    thrownBy(connect({ baseUrl: server.url, apiKey }).stream(request, never), parts),
  );
}

export async function withServer<Result>(
  reply: Reply,
  work: (server: LoopbackServer) => Promise<Result>,
): Promise<Result> {
  const server = await LoopbackServer.start(() => reply);
  try {
    return await work(server);
  } finally {
    await server.close();
  }
}

export async function thrownBy(
  stream: AsyncIterable<readonly ProviderPart[]>,
  parts: ProviderPart[] = [],
  onPart?: () => void,
): Promise<BenchtopError> {
  try {
    for await (const batch of stream) {
      parts.push(...batch);
      if (batch.length > 0) onPart?.();
    }
  } catch (thrown) {
    if (!BenchtopError.is(thrown)) assert.fail(`threw something other than a BenchtopError: ${String(thrown)}`);
    return thrown;
  }
  return assert.fail("ended without an error");
}

export function textIn(parts: readonly ProviderPart[], type: "text" | "reasoning" | "refusal"): string {
  return parts.map((part) => (part.type === type ? part.text : "")).join("");
}
