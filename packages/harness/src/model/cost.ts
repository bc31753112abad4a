import type { Usage } from "@benchtop/protocol";
import type { Prices } from "./model.ts";

/** Micro-dollars, rounded up: a dollar per million tokens is a micro-dollar per token. Cached input is part of the input. */
export function costMicrosOf(usage: Usage, prices: Prices): number {
  const cached = Math.min(usage.cachedInputTokens ?? 0, usage.inputTokens);
  return Math.ceil(
    (usage.inputTokens - cached) * prices.inputPerMillion +
      cached * (prices.cachedInputPerMillion ?? prices.inputPerMillion) +
      usage.outputTokens * prices.outputPerMillion,
  );
}
