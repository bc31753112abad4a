import type { ProviderComplaint } from "./provider-failure-body.ts";

/**
 * How long a provider asks to wait, in milliseconds and at most a day. From `retry-after-ms` and `Retry-After` (seconds or a
 * date), the body, the limit that is used up (OpenAI: `x-ratelimit-reset-tokens: 6m0s`, Anthropic: a time), or its words.
 */
export function retryAfterMs(headers: Headers, complaint: ProviderComplaint): number | undefined {
  const wait = [
    numberOf(headers.get("retry-after-ms")),
    untilMs(headers.get("retry-after")),
    complaint.retryAfterMs,
    untilResetMs(headers),
    spokenMs(complaint.message),
  ].find((candidate) => candidate !== undefined);
  return wait === undefined ? undefined : Math.min(Math.max(0, Math.round(wait)), 24 * 60 * 60 * 1000);
}

/** Seconds or a date (RFC 9110, 10.2.3). */
function untilMs(after: string | null): number | undefined {
  if (after === null) return undefined;
  const seconds = numberOf(after);
  return seconds === undefined ? untilDateMs(after) : seconds * 1000;
}

function untilDateMs(text: string): number | undefined {
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : date - Date.now();
}

/** The longest wait of the limits of which nothing is left. */
function untilResetMs(headers: Headers): number | undefined {
  const waits = limits.flatMap(([remaining, reset]) => {
    const value = headers.get(remaining) === "0" ? headers.get(reset) : null;
    const wait = value === null ? undefined : (durationMs(value) ?? untilDateMs(value));
    return wait === undefined ? [] : [wait];
  });
  return waits.length === 0 ? undefined : Math.max(...waits);
}

const limits: readonly (readonly [remaining: string, reset: string])[] = [
  ...["requests", "tokens"].map((kind) => [`x-ratelimit-remaining-${kind}`, `x-ratelimit-reset-${kind}`] as const),
  ...["requests", "tokens", "input-tokens", "output-tokens"].map(
    (kind) => [`anthropic-ratelimit-${kind}-remaining`, `anthropic-ratelimit-${kind}-reset`] as const,
  ),
];

/** `6m0s`, `1.5s`, `12ms`, `1h2m3s`. */
function durationMs(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, amount, unit = ""] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    sum += Number(amount) * (units[unit] ?? 0);
  return sum;
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** "Please try again in 1m12.5s.", "Please retry after 6 seconds." */
function spokenMs(message = ""): number | undefined {
  const [, amount = "", word] =
    /(?:try again|retry) (?:in|after) ((?:\d+(?:\.\d+)?(?:ms|s|m|h))+|\d+)( seconds?)?/i.exec(message.slice(0, 2000)) ??
    [];
  return word === undefined ? durationMs(amount) : Number(amount) * 1000;
}

function numberOf(text: string | null): number | undefined {
  return text !== null && /^\s*\d+(\.\d+)?\s*$/.test(text) ? Number(text) : undefined;
}
