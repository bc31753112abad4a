import type { Method, Operation } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol";
import { Refusal } from "../api/refusal.ts";
import type { Entry } from "../api/registry.ts";

export interface Match {
  readonly entry: Entry;
  /** The `{name}` parts of the path, percent-decoded. */
  readonly parameters: Readonly<Record<string, string>>;
}

interface Route {
  readonly entry: Entry;
  readonly operation: Operation;
  readonly segments: readonly Segment[];
}
type Segment = { readonly literal: string } | { readonly parameter: string };

/** The addresses of every operation. */
export class Routes {
  /** By number of parts, so that a request looks at few. */
  readonly #byLength: ReadonlyMap<number, readonly Route[]>;

  constructor(entries: readonly Entry[]) {
    const routes = entries
      .map((entry) => ({
        entry,
        operation: entry.operation,
        segments: entry.operation.path.slice(1).split("/").map(toSegment),
      }))
      // `/uploads` before `/{id}`: a literal part wins.
      .toSorted((a, b) => parameterCount(a) - parameterCount(b));
    this.#byLength = Map.groupBy(routes, ({ segments }) => segments.length);
  }

  /** The operation of a request line. HEAD is answered as GET. Throws a 404 or a 405 in the error envelope. */
  match(method: string, path: string): Match {
    const parts = path.slice(1).split("/");
    const candidates = this.#candidates(parts);
    const wanted = method === "HEAD" ? "GET" : method;
    const route = candidates.find(({ operation }) => operation.method === wanted);
    if (route !== undefined) return { entry: route.entry, parameters: readParameters(route, parts) };
    if (candidates.length === 0) throw new Refusal(404, "NOT_FOUND", "There is nothing at this address.");
    const allow = allowedMethods(candidates.map(({ operation }) => operation.method));
    throw new Refusal(405, "VALIDATION_FAILED", `This address answers ${allow}.`, { headers: { allow } });
  }

  /** What `OPTIONS` answers: the methods of an address. Empty when there is nothing. */
  methodsOf(path: string): string {
    return allowedMethods(this.#candidates(path.slice(1).split("/")).map(({ operation }) => operation.method));
  }

  #candidates(parts: readonly string[]): readonly Route[] {
    return (this.#byLength.get(parts.length) ?? []).filter((route) => fits(route, parts));
  }
}

/** True for paths that belong to the API and never to the console. */
export function isApiPath(path: string): boolean {
  return path.startsWith("/api/") || path === "/healthz" || path === "/readyz";
}

function allowedMethods(methods: readonly Method[]): string {
  const all = new Set<string>(methods);
  if (all.has("GET")) all.add("HEAD");
  if (all.size > 0) all.add("OPTIONS");
  return [...all].join(", ");
}

function fits({ segments }: Route, parts: readonly string[]): boolean {
  return segments.every((segment, index) =>
    "literal" in segment ? segment.literal === parts[index] : parts[index] !== "",
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
