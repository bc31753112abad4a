import type { Operation } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol";
import type { z } from "zod";
import { phaseOf } from "./phase.ts";

/** Parses with the operation's schema. Throws `VALIDATION_FAILED` that names each wrong field. */
export function parseInput(operation: Operation, fields: Record<string, unknown>): Record<string, unknown> {
  const parsed = operation.input.safeParse(fields);
  if (parsed.success) return parsed.data;
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
