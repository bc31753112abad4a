import { cookieName, secureCookieName } from "./proof.ts";

/** How long a browser stays signed in. */
export const signInLifetimeMs = 30 * 24 * 60 * 60_000;

/** The `Set-Cookie` line of a sign-in. */
export function signInCookie(value: string, secure: boolean): string {
  return line(value, signInLifetimeMs / 1000, secure);
}

/** The one that takes it back. */
export function noCookie(secure: boolean): string {
  return line("", 0, secure);
}

function line(value: string, maxAgeSeconds: number, secure: boolean): string {
  const attributes = ["Path=/", "HttpOnly", "SameSite=Strict", `Max-Age=${maxAgeSeconds}`];
  if (secure) attributes.push("Secure");
  return [`${secure ? secureCookieName : cookieName}=${value}`, ...attributes].join("; ");
}
