import type { FinishReason } from "@benchtop/protocol";
import type { ProviderAdapter, ProviderPart, ProviderRequest } from "../src/index.ts";

/** A step of what a provider does in one call. */
export type Act = ProviderPart | { readonly type: "throw"; readonly error: unknown } | { readonly type: "hang" };

/** An adapter that plays one script a call, the last one again when they run out, and remembers what it was asked. */
export function scriptedProvider(...scripts: readonly (readonly Act[])[]): ProviderAdapter & {
  readonly requests: ProviderRequest[];
} {
  const requests: ProviderRequest[] = [];
  return {
    id: "scripted",
    requests,
    async *stream(request, signal) {
      const script = scripts[Math.min(requests.length, scripts.length - 1)] ?? [];
      requests.push(structuredClone(request));
      for (const act of script) {
        if (act.type === "throw") throw act.error;
        if (act.type === "hang") await new Promise((_, reject) => rejectOnAbort(signal, reject));
        else yield [act];
      }
    },
  };
}

export const says = (text: string): ProviderPart => ({ type: "text", text });
export const calls = (name: string, input: unknown, callId?: string): ProviderPart => ({
  type: "tool-call",
  name,
  arguments: typeof input === "string" ? input : JSON.stringify(input),
  ...(callId !== undefined && { callId }),
});
export const used = (inputTokens: number, outputTokens: number): ProviderPart => ({
  type: "usage",
  usage: { inputTokens, outputTokens },
});
export const ends = (reason: FinishReason = "stop"): ProviderPart => ({ type: "finish", reason });

function rejectOnAbort(signal: AbortSignal, reject: (reason: unknown) => void): void {
  if (signal.aborted) reject(signal.reason);
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
}
