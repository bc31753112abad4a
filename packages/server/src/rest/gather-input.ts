import type { IncomingMessage } from "node:http";
import { BenchtopError } from "@benchtop/protocol";
import { readJsonBody, type BodyLimits } from "../http/body.ts";
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
  const { method, transfer } = match.entry.operation;
  const inQuery = method === "GET" || method === "DELETE" || transfer === "upload";
  const fields = inQuery ? readQuery(query) : await readJsonBody(request, limits);
  return { ...fields, ...match.parameters };
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
