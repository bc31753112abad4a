import { scopes, type Permission, type Scope } from "@benchtop/operations";

export type Preset = "read" | "work" | "everything" | "custom";

/** What a key can be limited to by somebody (or by a service) that holds these permissions. */
export function grantable(permissions: readonly Permission[]): readonly Scope[] {
  return scopes.filter((scope) => permissions.includes(scope));
}

/** The scopes of a preset, as far as they can be given. */
export function scopesOf(preset: Exclude<Preset, "custom">, available: readonly Scope[]): readonly Scope[] {
  if (preset === "read") return available.filter(isRead);
  if (preset === "work") return available.filter((scope) => isRead(scope) || work.has(scope));
  return available;
}

/** What a set of scopes amounts to, in a few words. */
export function summaryOf(held: readonly Scope[], available: readonly Scope[]): string {
  const same = (other: readonly Scope[]) => other.length === held.length && other.every((each) => held.includes(each));
  if (same(scopesOf("everything", available))) return "everything its holder may do";
  if (same(scopesOf("work", available))) return "read and work";
  if (same(scopesOf("read", available))) return "read only";
  return held.length <= 3 ? held.join(", ") : `${held.length} scopes`;
}

function isRead(scope: Scope): boolean {
  return scope.endsWith(":read") && !apart.has(scope);
}

const work: ReadonlySet<Scope> = new Set(["workbenches:write", "runs:write", "egress:write"]);
/** Reading of another kind: of who is there and what the machine does. Asked for by name. */
const apart: ReadonlySet<Scope> = new Set(["members:read", "audit:read", "system:read"]);
