import { z } from "zod";
import { defaultRateLimits, type RateLimitOptions } from "../identity/rate-limits.ts";

const Limit = z.strictObject({
  perSecond: z.number().positive().max(10_000_000),
  burst: z.int().min(1).max(10_000_000),
});

/** How often somebody may ask; see `RateLimitOptions`. */
export const RateLimitsConfig = z.strictObject({
  identity: Limit.optional(),
  address: Limit.optional(),
  /** Of one address in a minute; after them it waits until the minute is over. */
  failedSignIns: z.int().min(1).max(10_000_000).optional(),
});

/** `none`: nobody has to prove who they are, and everybody is the operator. For loopback alone. */
export const AuthConfig = z.enum(["required", "none"]);

export function rateLimitsOf(
  config: z.infer<typeof RateLimitsConfig> = {},
): RateLimitOptions & { readonly failedSignIns: number } {
  return {
    identity: config.identity ?? defaultRateLimits.identity,
    address: config.address ?? defaultRateLimits.address,
    failedSignIns: config.failedSignIns ?? 10,
  };
}
