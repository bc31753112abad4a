import { operations, type Method, type Operation, type OperationId } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol";
import { Refusal } from "./refusal.ts";

export interface Match {
  readonly id: OperationId;
  readonly operation: Operation;
  /** The `{name}` parts of the path, percent-decoded. */
  readonly parameters: Readonly<Record<string, string>>;
}

interface Route {
  readonly id: OperationId;
  readonly operation: Operation;
  readonly segments: readonly Segment[];
}
type Segment = { readonly literal: string } | { readonly parameter: string };

const routes: readonly Route[] = (Object.entries(operations) as [OperationId, Operation][])
  .map(([id, operation]) => ({ id, operation, segments: operation.path.slice(1).split("/").map(toSegment) }))
  // `/uploads` before `/{id}`: a literal part wins.
  .toSorted((a, b) => parameterCount(a) - parameterCount(b));

/** True for paths that belong to the API and never to the console. */
export function isApiPath(path: string): boolean {
  return path.startsWith("/api/") || path === "/api" || path === "/healthz" || path === "/readyz";
}

/** The operation of a request line. HEAD is answered as GET. Throws a 404 or a 405 in the error envelope. */
export function matchRoute(method: string, path: string): Match {
  const parts = path.slice(1).split("/");
  const candidates = routes.filter((route) => fits(route, parts));
  const wanted = method === "HEAD" ? "GET" : method;
  const route = candidates.find(({ operation }) => operation.method === wanted);
  if (route !== undefined)
    return { id: route.id, operation: route.operation, parameters: readParameters(route, parts) };
  if (candidates.length === 0) throw new Refusal(404, "NOT_FOUND", "There is nothing at this address.");
  const allow = allowedMethods(candidates.map(({ operation }) => operation.method));
  throw new Refusal(405, "VALIDATION_FAILED", `This address answers ${allow}.`, { headers: { allow } });
}

/** What `OPTIONS` answers: the methods of an address. Empty when there is nothing. */
export function methodsOf(path: string): string {
  const parts = path.slice(1).split("/");
  return allowedMethods(routes.filter((route) => fits(route, parts)).map(({ operation }) => operation.method));
}

function allowedMethods(methods: readonly Method[]): string {
  const all = new Set<string>(methods);
  if (all.has("GET")) all.add("HEAD");
  if (all.size > 0) all.add("OPTIONS");
  return [...all].join(", ");
}

function fits({ segments }: Route, parts: readonly string[]): boolean {
  return (
    segments.length === parts.length &&
    segments.every((segment, index) => ("literal" in segment ? segment.literal === parts[index] : parts[index] !== ""))
  );
}

function readParameters({ segments }: Route, parts: readonly string[]): Record<string, string> {
  const parameters: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    if ("parameter" in segment) parameters[segment.parameter] = decode(parts[index] ?? "");
  }
  return parameters;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw new BenchtopError("VALIDATION_FAILED", "The address holds a broken percent escape.", {
      phase: "settings",
      cause,
    });
  }
}

function toSegment(text: string): Segment {
  return text.startsWith("{") ? { parameter: text.slice(1, -1) } : { literal: text };
}

function parameterCount({ segments }: Route): number {
  return segments.filter((segment) => "parameter" in segment).length;
}
