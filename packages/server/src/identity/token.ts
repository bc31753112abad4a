import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** 32 random bytes, as text that fits a header, a cookie and a URL fragment. */
export function newToken(): string {
  return randomBytes(32).toString("base64url");
}

/** What is kept of a token: enough to recognise it, useless to anybody who reads it. */
export function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** Compares hashes, so that the time taken tells nothing of how much of a guess was right. */
export function isToken(given: string, hash: string): boolean {
  return isSameHash(hashToken(given), hash);
}

export function isSameHash(one: string, other: string): boolean {
  return timingSafeEqual(Buffer.from(one, "hex"), Buffer.from(other, "hex"));
}

const apiKeyPrefix = "bt_";

/** An API key: recognisable by people and by scanners for leaked secrets. */
export function newApiKey(): string {
  return `${apiKeyPrefix}${newToken()}`;
}

export function isApiKey(text: string): boolean {
  return /^bt_[A-Za-z0-9_-]{43}$/.test(text);
}

/** As much of a key as may be shown to tell it from others. */
export function prefixOf(apiKey: string): string {
  return apiKey.slice(0, apiKeyPrefix.length + 6);
}
