import type { IncomingMessage } from "node:http";
import { BenchtopError } from "@benchtop/protocol";
import type { z } from "zod";
import { readJsonBody, type BodyLimits } from "./body.ts";
import { phaseOf } from "./phase.ts";
import type { Match } from "./routes.ts";

/**
 * Gathers what the caller gave, before it is parsed: the path's parts, the query of GET, DELETE and uploads, the JSON
 * body elsewhere. A part of the path always wins over a field of the same name.
 */
export async function gatherInput(
  request: IncomingMessage,
  match: Match,
  query: URLSearchParams,
  limits: BodyLimits,
): Promise<Record<string, unknown>> {
  const { method, transfer } = match.operation;
  const inQuery = method === "GET" || method === "DELETE" || transfer === "upload";
  const fields = inQuery ? readQuery(query) : await readJsonBody(request, limits);
  return { ...fields, ...match.parameters };
}

/** Parses with the operation's schema. Throws `VALIDATION_FAILED` that names each wrong field. */
export function parseInput(match: Match, fields: Record<string, unknown>): Record<string, unknown> {
  const parsed = match.operation.input.safeParse(fields);
  if (parsed.success) return parsed.data;
  throw validationFailed(parsed.error, match);
}

const shownIssues = 5;

function validationFailed(error: z.ZodError, match: Match): BenchtopError {
  const issues = error.issues.map((issue) => ({ field: issue.path.join("."), message: issue.message }));
  const shown = issues
    .slice(0, shownIssues)
    .map(({ field, message }) => (field === "" ? message : `${field}: ${message}`));
  const more = issues.length > shownIssues ? ` (and ${issues.length - shownIssues} more)` : "";
  return new BenchtopError("VALIDATION_FAILED", `The request is not valid. ${shown.join("; ")}${more}`, {
    phase: phaseOf(match.id),
    detail: { fields: issues.slice(0, 100).map(({ field }) => field) },
  });
}

function readQuery(query: URLSearchParams): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [name, value] of query) {
    if (Object.hasOwn(fields, name)) {
      throw new BenchtopError("VALIDATION_FAILED", "A query field is given twice.", {
        phase: "settings",
        detail: { fields: [name.slice(0, 100)] },
      });
    }
    Object.defineProperty(fields, name, { value, enumerable: true, configurable: true, writable: true });
  }
  return fields;
}
