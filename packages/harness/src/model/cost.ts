import type { Usage } from "@benchtop/protocol";
import type { Prices } from "./model.ts";

/** Micro-dollars, rounded up: a dollar per million tokens is a micro-dollar per token. What is read from and written to a prompt cache is part of the input. */
export function costMicrosOf(usage: Usage, prices: Prices): number {
  const cached = Math.min(usage.cachedInputTokens ?? 0, usage.inputTokens);
  const written = Math.min(usage.cacheWriteInputTokens ?? 0, usage.inputTokens - cached);
  return Math.ceil(
    (usage.inputTokens - cached - written) * prices.inputPerMillion +
      cached * (prices.cachedInputPerMillion ?? prices.inputPerMillion) +
      written * (prices.cacheWritePerMillion ?? prices.inputPerMillion) +
      usage.outputTokens * prices.outputPerMillion,
  );
}
