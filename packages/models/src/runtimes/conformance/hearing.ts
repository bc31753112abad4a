import assert from "node:assert/strict";
import type { ProviderPart } from "@benchtop/harness";
import { BenchtopError } from "@benchtop/protocol";

export async function said(
  stream: AsyncIterable<readonly ProviderPart[]>,
  onPart?: (part: ProviderPart) => void,
): Promise<ProviderPart[]> {
  const parts: ProviderPart[] = [];
  for await (const batch of stream) {
    for (const part of batch) onPart?.(part);
    parts.push(...batch);
  }
  return parts;
}

export async function nextText(parts: AsyncIterator<readonly ProviderPart[]>): Promise<void> {
  for (let next = await parts.next(); next.done !== true; next = await parts.next()) if (next.value.length > 0) return;
  assert.fail("The answer ended.");
}

export function textIn(parts: readonly ProviderPart[]): string {
  return parts.map((part) => (part.type === "text" ? part.text : "")).join("");
}

export async function failure(promise: Promise<unknown>): Promise<BenchtopError> {
  try {
    await promise;
  } catch (thrown) {
    if (!BenchtopError.is(thrown)) assert.fail(`threw something other than a BenchtopError: ${String(thrown)}`);
    return thrown;
  }
  return assert.fail("it worked");
}

/** The order of sums differs between batches, so the last digits may. */
export function isNear(one: Float32Array | undefined, other: Float32Array | undefined): boolean {
  if (!one || one.length !== other?.length) return false;
  return one.every((value, index) => Math.abs(value - (other[index] ?? 0)) <= 1e-3 * Math.max(1, Math.abs(value)));
}

export async function until(check: () => Promise<boolean>, what: string): Promise<void> {
  for (const end = Date.now() + 5000; !(await check());) {
    if (Date.now() > end) assert.fail(`${what}: not within 5 s`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
