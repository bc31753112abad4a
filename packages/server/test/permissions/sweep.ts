import { randomBytes } from "node:crypto";
import { rolePermissions, type Operation, type OperationId } from "@benchtop/operations";
import type { ErrorCode } from "@benchtop/protocol";
import { exampleInputs, type Belongings } from "../example-inputs.ts";
import type { Carrier, Credentials } from "./carriers.ts";
import type { Seeded } from "./seeds.ts";

/** One attempt that has to be refused: who makes it, and with which codes it may be. */
interface Attempt {
  readonly case: string;
  readonly credentials: Credentials;
  readonly codes: readonly ErrorCode[];
}

export interface Breach {
  readonly operation: string;
  readonly carrier: string;
  readonly case: string;
  readonly got: string;
}

export interface Sweep {
  attempts: number;
  readonly breaches: Breach[];
}

/**
 * Everyone who may not call an operation calls it, on every carrier that offers it, about things of `victim` that are
 * there. What is not refused, or refused with another code, is a breach.
 */
export async function sweepOperation(
  operation: Operation,
  { victim, stranger, carriers }: { victim: Seeded; stranger: Seeded; carriers: readonly Carrier[] },
  sweep: Sweep,
): Promise<void> {
  const example = exampleOf(operation);
  const input = example.input(victim) as Record<string, unknown>;
  for (const carrier of carriers.filter((each) => each.offers(operation))) {
    for (const attempt of attemptsOn(operation, example.about, victim, stranger)) {
      if (attempt.credentials.cookie !== undefined && !carrier.cookies) continue;
      sweep.attempts += 1;
      const outcome = await carrier.call(operation, input, attempt.credentials);
      const got = outcome.ok ? "it was done" : outcome.code;
      if (outcome.ok || !attempt.codes.includes(outcome.code as ErrorCode)) {
        sweep.breaches.push({ operation: operation.id, carrier: carrier.name, case: attempt.case, got });
      }
    }
    if (example.about === "own" && operation.method === "GET") {
      sweep.attempts += 1;
      const outcome = await carrier.call(operation, input, { token: stranger.keys.owner });
      if (outcome.ok && leaks(outcome.text, victim)) {
        sweep.breaches.push({
          operation: operation.id,
          carrier: carrier.name,
          case: "other workspace reads",
          got: "a leak",
        });
      }
    }
  }
}

function attemptsOn(operation: Operation, about: "theirs" | "own", victim: Seeded, stranger: Seeded): Attempt[] {
  const { permission } = operation;
  const auth: readonly ErrorCode[] = ["AUTH_REQUIRED"];
  const denied: readonly ErrorCode[] = ["PERMISSION_DENIED"];
  const attempts: Attempt[] = [
    { case: "no token", credentials: {}, codes: auth },
    { case: "a wrong token", credentials: { token: `bt_${randomBytes(32).toString("base64url")}` }, codes: auth },
    { case: "an expired key", credentials: { token: victim.keys.expired }, codes: auth },
    { case: "a revoked key", credentials: { token: victim.keys.revoked }, codes: auth },
    { case: "a wrong cookie", credentials: { cookie: randomBytes(32).toString("base64url") }, codes: auth },
    { case: "a browser that signed out", credentials: { cookie: victim.cookies.ended }, codes: auth },
  ];
  const without = victim.without.get(permission);
  if (without !== undefined) {
    attempts.push({ case: "a key without the scope", credentials: { token: without }, codes: denied });
  }
  if (permission !== "public" && !rolePermissions.viewer.includes(permission)) {
    attempts.push({ case: "a viewer", credentials: { token: victim.keys.viewer }, codes: denied });
    attempts.push({ case: "a viewer's browser", credentials: { cookie: victim.cookies.viewer }, codes: denied });
  }
  const ownerMay = permission !== "public" && rolePermissions.owner.includes(permission);
  if (about === "theirs" || !ownerMay) {
    const codes: readonly ErrorCode[] = ownerMay ? ["NOT_FOUND", "PROVIDER_NOT_CONFIGURED"] : denied;
    const keyOnly: readonly ErrorCode[] = operation.id === "workspaces.switch" ? ["VALIDATION_FAILED"] : [];
    const credentials = { token: stranger.keys.owner };
    attempts.push({ case: "an owner of another workspace", credentials, codes: [...codes, ...keyOnly] });
    attempts.push({ case: "their browser", credentials: { cookie: stranger.cookies.owner }, codes });
  }
  const elsewhere = { token: stranger.keys.owner, workspace: victim.workspaceId };
  const named: readonly ErrorCode[] = [...denied, "NOT_FOUND"];
  attempts.push({ case: "another workspace's key that names this one", credentials: elsewhere, codes: named });
  const browser = { cookie: stranger.cookies.owner, workspace: victim.workspaceId };
  attempts.push({ case: "another workspace's browser that names this one", credentials: browser, codes: named });
  return attempts;
}

/** What an answer to a stranger must not hold. */
function leaks(text: string, victim: Seeded): boolean {
  const ids = [victim.workbenchId, victim.runId, victim.evalRunId, victim.keyId, victim.invitationId, victim.memberId];
  return [victim.marker, victim.workspaceId, victim.sha256, ...ids].some((secret) => text.includes(secret));
}

function exampleOf(operation: Operation): { input: (of: Belongings) => object; about: "theirs" | "own" } {
  return Object.hasOwn(exampleInputs, operation.id)
    ? exampleInputs[operation.id as OperationId]
    : { input: ({ workbenchId }) => ({ workbenchId }), about: "theirs" };
}
