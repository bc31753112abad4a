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
  return timingSafeEqual(Buffer.from(hashToken(given), "hex"), Buffer.from(hash, "hex"));
}
