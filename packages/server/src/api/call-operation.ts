import { isDeepStrictEqual } from "node:util";
import { referencesOf, type Identity, type Operation, type Permission, type Reference } from "@benchtop/operations";
import { BenchtopError, newId, type ErrorInfo } from "@benchtop/protocol";
import type { FailureReports } from "../failures/failure-reports.ts";
import type { Proof } from "../identity/proof.ts";
import type { Log } from "../log/log.ts";
import { whileAllowed } from "./allowed-events.ts";
import { errorOf, toFailure } from "./failure.ts";
import type { BrowserSession, Download, EventSource, Progress, RequestContext } from "./handler.ts";
import type { IdempotencyKeys } from "./idempotency.ts";
import { parseInput } from "./input.ts";
import { phaseOf } from "./phase.ts";
import { stopping } from "./refusal.ts";
import type { Entry } from "./registry.ts";

/** What every call needs, on whatever transport it comes. */
export interface CallParts {
  readonly home: string;
  readonly log: Log;
  readonly identities: {
    /** Throws `AUTH_REQUIRED`, or `PERMISSION_DENIED` for a workspace that is not theirs. */
    identify(proof: Proof): Promise<Identity>;
    /** Aborts when the identity may not do any more what it is watched for. To be ended in any case. */
    watch(identity: Identity, permission: Permission): { readonly signal: AbortSignal; end(): void };
  };
  readonly rateLimits: {
    /** Takes one request. Throws `RATE_LIMITED`. */
    take(caller: string, kind: "identity" | "address"): void;
  };
  readonly references: {
    /** The id of a thing of this workspace. Throws `NOT_FOUND`. */
    resolve(kind: Reference["kind"], value: string, workspaceId: string): Promise<string>;
  };
  readonly idempotencyKeys: IdempotencyKeys;
  /** Keeps what failed for reasons that are not the caller's. */
  readonly failures: Pick<FailureReports, "ofCall">;
  /** True once the daemon stops: new calls are turned away. */
  readonly stopping: () => boolean;
  /** Refuse an answer that does not match its schema, instead of logging it. */
  readonly checkOutputs: boolean;
}

export interface Call {
  readonly entry: Entry;
  readonly transport: Transport;
  /** Asked for only once the caller is known and allowed, so that nobody else's body is read. */
  readonly fields: () => Promise<Record<string, unknown>> | Record<string, unknown>;
  readonly proof: Proof;
  /** Aborts when the caller goes away. */
  readonly signal: AbortSignal;
  readonly requestId?: string;
  readonly idempotencyKey?: string | undefined;
  /** Told how far a long change has come. */
  readonly progress?: ((progress: Progress) => void) | undefined;
  /** Told when the outcome is that of an earlier request with the same key. */
  readonly onReplayed?: () => void;
  /** The bytes of an upload. */
  readonly body?: () => AsyncIterable<Uint8Array>;
  readonly lastEventId?: string | undefined;
  /** The way to the browser's cookies, where there is a browser. */
  readonly browser?: BrowserSession | undefined;
}

export type Transport = "rest" | "json-rpc" | "grpc" | "mcp" | "ollama";

export type Answer =
  | { readonly kind: "value"; readonly output: unknown }
  | { readonly kind: "events"; readonly source: EventSource }
  | { readonly kind: "download"; readonly download: Download };

/**
 * The way of every operation on every transport: identity, permission, limit, input, workspace, idempotency, handler,
 * answer. Writes the log line. Throws a `BenchtopError`, or a `Refusal` where HTTP has a better word; nothing else.
 */
export async function callOperation(parts: CallParts, call: Call): Promise<Answer> {
  const started = performance.now();
  const requestId = call.requestId ?? newId("request");
  const { operation } = call.entry;
  let code: string | undefined;
  let identity: Identity | undefined;
  try {
    if (parts.stopping()) throw stopping();
    identity = await identify(parts, call);
    return await answer(parts, { ...call, requestId }, identity);
  } catch (thrown) {
    const call = identity && { workspaceId: identity.workspaceId, operation: operation.id };
    const failure = await toFailure(parts, thrown, { request_id: requestId, operation: operation.id }, call);
    code = errorOf(failure).code;
    throw failure;
  } finally {
    parts.log.info("call", {
      id: requestId,
      operation: operation.id,
      transport: call.transport,
      user: identity?.userId,
      workspace: identity?.workspaceId,
      code,
      ms: Math.round(performance.now() - started),
    });
  }
}

async function identify(parts: CallParts, { entry, proof }: Call): Promise<Identity> {
  const { permission, id } = entry.operation;
  if (permission === "public") {
    parts.rateLimits.take(proof.address, "address");
    return nobody;
  }
  const identity = await parts.identities.identify(proof);
  parts.rateLimits.take(identity.keyId ?? identity.userId, "identity");
  if (identity.permissions.includes(permission)) return identity;
  throw new BenchtopError("PERMISSION_DENIED", `This needs the permission ${permission}.`, {
    phase: phaseOf(id),
    detail: { permission },
  });
}

async function answer(
  parts: CallParts,
  call: Call & { readonly requestId: string },
  identity: Identity,
): Promise<Answer> {
  const { operation, handler } = call.entry;
  const fields = await call.fields();
  const parsed = parseInput(operation, fields);
  const input = await resolveReferences(parts, operation, parsed, identity);
  const context = createContext(call, identity);
  if (operation.transfer === "stream") return { kind: "events", source: await eventsOf(parts, call, input, context) };
  if (operation.transfer === "download") {
    return { kind: "download", download: await begun((await handler(input, context)) as Download) };
  }
  const execute = async (): Promise<unknown> => checkOutput(parts, operation, await handler(input, context));
  const key = keyOf(call);
  if (key === undefined) return { kind: "value", output: await execute() };
  return { kind: "value", output: await once(parts, call, { identity, key, fields }, execute) };
}

/** The same, with its first bytes read: what cannot be read at all is a failure, and no download that breaks off. */
async function begun(download: Download): Promise<Download> {
  const rest = download.content[Symbol.asyncIterator]();
  let first: IteratorResult<Uint8Array> | undefined = await rest.next();
  const content: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        const next = first ?? (await rest.next());
        first = undefined;
        return next;
      },
      return: async () => (await rest.return?.()) ?? { done: true, value: undefined },
    }),
  };
  return { ...download, content };
}

/** Events outlast the request; they end with what let the caller in. */
async function eventsOf(
  parts: CallParts,
  { entry: { operation, handler }, signal: gone }: Call,
  input: Record<string, unknown>,
  context: RequestContext,
): Promise<EventSource> {
  const revoked = new AbortController();
  const signal = AbortSignal.any([gone, revoked.signal]);
  const source = (await handler(input, { ...context, signal })) as EventSource;
  if (operation.permission === "public") return source;
  const watch = () => parts.identities.watch(context.identity, operation.permission);
  return whileAllowed(source, { watch, revoked, gone });
}

/** The same key and request get the first outcome again, a failure too. */
async function once(
  parts: CallParts,
  call: Call & { readonly requestId: string },
  { identity, key, fields }: { identity: Identity; key: string; fields: Record<string, unknown> },
  execute: () => Promise<unknown>,
): Promise<unknown> {
  const { id } = call.entry.operation;
  const keyed = { userId: identity.userId, workspaceId: identity.workspaceId, key, operation: id, fields };
  const kept = await parts.idempotencyKeys.once(keyed, async () => {
    try {
      const output = await execute();
      return { output, retryable: false, ...(call.entry.operation.shownOnce && { kept: { failure: wasShown() } }) };
    } catch (thrown) {
      const failed = { workspaceId: identity.workspaceId, operation: id };
      const failure = await toFailure(parts, thrown, { request_id: call.requestId, operation: id }, failed);
      const { info, message } = errorOf(failure);
      return { failure: { message, ...info }, retryable: info.retryable || failure.status >= 500 };
    }
  });
  if (kept.replayed) call.onReplayed?.();
  if (kept.failure !== undefined) throw BenchtopError.of(kept.failure);
  return kept.output;
}

/** What is told of a secret that was made before: secrets are not kept, not even to be told again. */
function wasShown(): { readonly message: string } & ErrorInfo {
  const { message, info } = new BenchtopError(
    "IDEMPOTENCY_CONFLICT",
    "This request was carried out, and the secret in its answer was shown then. Take back what it made and use a new key.",
    { phase: "settings" },
  );
  return { message, ...info };
}

async function resolveReferences(
  parts: CallParts,
  operation: Operation,
  input: Record<string, unknown>,
  { workspaceId }: Identity,
): Promise<Record<string, unknown>> {
  let resolved = input;
  for (const { field, kind } of referencesFor(operation)) {
    const value = input[field];
    if (typeof value !== "string") continue;
    resolved = { ...resolved, [field]: await parts.references.resolve(kind, value, workspaceId) };
  }
  return resolved;
}

const known = new WeakMap<Operation, readonly Reference[]>();

function referencesFor(operation: Operation): readonly Reference[] {
  const references = known.get(operation) ?? referencesOf(operation);
  known.set(operation, references);
  return references;
}

/** Nobody in particular: the caller of a public operation. */
const nobody: Identity = {
  userId: "anonymous",
  displayName: "anonymous",
  email: null,
  kind: "person",
  workspaceId: "",
  workspaceName: "",
  role: null,
  operator: false,
  permissions: [],
  via: "token",
  keyId: null,
  signInId: null,
  confined: false,
};

function createContext(call: Call & { readonly requestId: string }, identity: Identity): RequestContext {
  return {
    requestId: call.requestId,
    identity,
    proof: call.proof,
    signal: call.signal,
    body: call.body?.() ?? nothing(),
    lastEventId: call.lastEventId,
    progress: call.progress,
    browser: call.browser ?? noBrowser,
  };
}

const noBrowser: BrowserSession = {
  secure: false,
  cookie: () => undefined,
  setCookie() {
    throw new BenchtopError("VALIDATION_FAILED", "Browser sessions exist over HTTP only. Use a token here.", {
      phase: "settings",
    });
  },
};

async function* nothing(): AsyncGenerator<Uint8Array> {
  // An upload without a body is an empty file.
}

function keyOf({ entry: { operation }, idempotencyKey: key }: Call): string | undefined {
  const applies = operation.method !== "GET" && operation.permission !== "public" && operation.transfer === undefined;
  if (key === undefined || !applies) return undefined;
  if (/^[\x21-\x7e]{1,200}$/.test(key)) return key;
  throw new BenchtopError("VALIDATION_FAILED", "An Idempotency-Key is 1 to 200 visible ASCII characters.", {
    phase: "settings",
  });
}

/** The answer as its schema has it; fields that the schema does not name never leave. */
function checkOutput(parts: CallParts, operation: Operation, output: unknown): unknown {
  const parsed = operation.output.safeParse(output);
  if (parsed.success) {
    if (!parts.checkOutputs || isDeepStrictEqual(parsed.data, JSON.parse(JSON.stringify(output)))) return parsed.data;
    throw new TypeError(`The answer of ${operation.id} holds fields that its schema does not name.`);
  }
  const wrong = parsed.error.issues.map((issue) => `${issue.path.join(".")} (${issue.code})`).join(", ");
  if (parts.checkOutputs) throw new TypeError(`The answer of ${operation.id} does not match its schema: ${wrong}`);
  parts.log.error("output-mismatch", { operation: operation.id, fields: wrong.slice(0, 500) });
  return output;
}
