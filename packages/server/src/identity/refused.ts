import { BenchtopError } from "@benchtop/protocol";
import type { Finding } from "./lookup.ts";

export function authRequired(message: string): BenchtopError {
  return new BenchtopError(
    "AUTH_REQUIRED",
    `${message} Use an API key or the token in $BENCHTOP_HOME/bootstrap-token, or open the console with \`benchtop up\`.`,
    { phase: "settings" },
  );
}

/** A workspace that is not theirs looks like one that does not exist. */
export function noSuchWorkspace(): BenchtopError {
  return new BenchtopError("PERMISSION_DENIED", "There is no such workspace for this identity.", { phase: "settings" });
}

export function denied(message: string, detail?: Readonly<Record<string, string>>): BenchtopError {
  return new BenchtopError("PERMISSION_DENIED", message, { phase: "settings", ...(detail && { detail }) });
}

export function notFound(what: string): BenchtopError {
  return new BenchtopError("NOT_FOUND", `There is no such ${what} in this workspace.`, { phase: "settings" });
}

export function invalid(message: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, { phase: "settings" });
}

/** What the bearer of a proof is told that is worth nothing. */
export function refusalOf(
  finding: Finding & { readonly found: false },
  what: "token" | "key" | "browser",
): BenchtopError {
  if (finding.why === "no-workspace") return noSuchWorkspace();
  if (what === "browser") return authRequired("This browser is not signed in any more.");
  return authRequired(wrongToken[finding.why]);
}

const wrongToken = {
  unknown: "The token is wrong.",
  expired: "This API key has expired.",
  revoked: "This API key was revoked.",
} as const;
