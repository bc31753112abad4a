import type { Operation } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol";
import type { z } from "zod";
import { phaseOf } from "./phase.ts";

/** Parses with the operation's schema. Throws `VALIDATION_FAILED` that names each wrong field. */
export function parseInput(operation: Operation, fields: Record<string, unknown>): Record<string, unknown> {
  const parsed = operation.input.safeParse(fields);
  if (parsed.success) {
    refuseNul(operation, parsed.data);
    return parsed.data;
  }
  throw validationFailed(parsed.error, operation);
}

const shownIssues = 5;

function validationFailed(error: z.ZodError, { id }: Operation): BenchtopError {
  const issues = error.issues.map((issue) => ({ field: issue.path.join("."), message: issue.message }));
  const shown = issues
    .slice(0, shownIssues)
    .map(({ field, message }) => (field === "" ? message : `${field}: ${message}`));
  const more = issues.length > shownIssues ? ` (and ${issues.length - shownIssues} more)` : "";
  return new BenchtopError("VALIDATION_FAILED", `The request is not valid. ${shown.join("; ")}${more}`, {
    phase: phaseOf(id),
    detail: { fields: issues.slice(0, 100).map(({ field }) => field) },
  });
}

/** A NUL character is in no text that people write, and PostgreSQL keeps none: refused alike whatever the database is. */
function refuseNul({ id }: Operation, input: Readonly<Record<string, unknown>>): void {
  const field = Object.keys(input).find((name) => holdsNul(input[name]));
  if (field === undefined) return;
  throw new BenchtopError("VALIDATION_FAILED", `The request is not valid. ${field}: it holds a NUL character.`, {
    phase: phaseOf(id),
    detail: { fields: [field] },
  });
}

function holdsNul(value: unknown): boolean {
  if (typeof value === "string") return value.includes("\0");
  if (Array.isArray(value)) return value.some(holdsNul);
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(([name, part]) => name.includes("\0") || holdsNul(part));
}
