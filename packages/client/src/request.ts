import type { Operation } from "@benchtop/operations";
import { BenchtopError, errorRules, type ErrorCode, type ErrorInfo } from "@benchtop/protocol";

export interface RequestOptions {
  /** Where the daemon listens: `http://127.0.0.1:4317`. In the console, its own origin. */
  readonly url: string;
  /** The bootstrap token. Without one the browser's sign-in cookie vouches for the request. */
  readonly token?: string | undefined;
  /** The id of the workspace to work in, for identities that have several; their own unless told. */
  readonly workspace?: string | undefined;
  readonly fetch?: typeof globalThis.fetch;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** False: one attempt, for a caller that wants to know now whether the daemon answers. */
  readonly retry?: boolean;
  /** Of the caller's own making, where an attempt must be recognised across processes. */
  readonly idempotencyKey?: string;
}

interface SendOptions extends CallOptions {
  /** The raw body of an upload. */
  readonly body?: Uint8Array | Blob | ReadableStream<Uint8Array>;
  readonly headers?: Readonly<Record<string, string>>;
}

const retryDelaysMs = [100, 400, 1200];
/** A daemon that asks to wait for longer is not waited for. */
const longestWaitMs = 30_000;

/** Turns operations into HTTP requests and answers into values or `BenchtopError`s. */
export class Requests {
  readonly url: string;
  readonly #token: string | undefined;
  readonly #workspace: string | undefined;
  readonly #fetch: typeof globalThis.fetch;

  constructor(options: RequestOptions) {
    this.url = options.url.replace(/\/+$/, "");
    this.#token = options.token;
    this.#workspace = options.workspace;
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  }

  /**
   * Sends one operation and returns its successful response. Where nothing was answered, or the daemon asks to wait (for
   * the first attempt of the same key, or because there were too many requests), a repeatable request is made again up to
   * three times.
   */
  async send(operation: Operation, input: Readonly<Record<string, unknown>>, options: SendOptions): Promise<Response> {
    const { signal, body, retry = true } = options;
    const init = this.#toRequest(operation, input, options);
    const repeatable = retry && !(body instanceof ReadableStream) && operation.permission !== "public";
    return await attempts(repeatable, signal, () => this.sendOnce(init.url, init.init));
  }

  /** One attempt. Throws `NETWORK_UNAVAILABLE` when nothing answers, else what the daemon's envelope says. */
  async sendOnce(url: string, init: RequestInit): Promise<Response> {
    let response: Response;
    try {
      response = await this.#fetch(url, init);
    } catch (cause) {
      if (init.signal?.aborted === true) throw BenchtopError.from(canceled(cause));
      throw unreachable(this.url, cause);
    }
    if (response.ok) return response;
    throw await readFailure(response, this.url);
  }

  async readJson(response: Response): Promise<unknown> {
    try {
      return await response.json();
    } catch (cause) {
      throw unreachable(this.url, cause);
    }
  }

  headers(): Record<string, string> {
    return {
      ...(this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
      ...(this.#workspace !== undefined && { "benchtop-workspace": this.#workspace }),
    };
  }

  address(
    operation: Operation,
    input: Readonly<Record<string, unknown>>,
  ): { url: string; rest: Record<string, unknown> } {
    const rest: Record<string, unknown> = { ...input };
    const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
      const value = rest[name];
      delete rest[name];
      // A dot segment would be folded away by the URL parser; such a name exists nowhere, and must not reach another route.
      if (typeof value !== "string" || value === "" || value === "." || value === "..") {
        throw new BenchtopError("VALIDATION_FAILED", `${name} is not valid.`, { detail: { fields: [name] } });
      }
      return encodeURIComponent(value);
    });
    return { url: `${this.url}${path}`, rest };
  }

  #toRequest(
    operation: Operation,
    input: Readonly<Record<string, unknown>>,
    { signal, body, headers, idempotencyKey }: SendOptions,
  ): { url: string; init: RequestInit } {
    const { url, rest } = this.address(operation, input);
    const inQuery = operation.method === "GET" || operation.method === "DELETE" || operation.transfer === "upload";
    const isChange = operation.method !== "GET" && operation.transfer !== "upload";
    const init: RequestInit & { duplex?: "half" } = {
      method: operation.method,
      credentials: "same-origin",
      redirect: "error",
      headers: {
        ...this.headers(),
        ...(isChange && { "idempotency-key": idempotencyKey ?? globalThis.crypto.randomUUID() }),
        ...(body !== undefined && { "content-type": "application/octet-stream" }),
        ...(!inQuery && { "content-type": "application/json" }),
        ...headers,
      },
      ...(signal !== undefined && { signal }),
    };
    if (body !== undefined) {
      init.body = body as NonNullable<RequestInit["body"]>;
      if (body instanceof ReadableStream) init.duplex = "half";
    } else if (!inQuery) init.body = JSON.stringify(rest);
    return { url: inQuery ? withQuery(url, rest) : url, init };
  }
}

/** Makes attempts until one succeeds, fails for good, or there were four. One alone where it must not be repeated. */
export async function attempts<Result>(
  repeatable: boolean,
  signal: AbortSignal | undefined,
  attempt: () => Promise<Result>,
): Promise<Result> {
  for (let made = 0; ; made++) {
    const delayMs = repeatable ? retryDelaysMs[made] : undefined;
    try {
      return await attempt();
    } catch (thrown) {
      if (delayMs === undefined || signal?.aborted === true) throw thrown;
      const askedMs = waitAskedFor(thrown);
      if (askedMs === undefined && !isWorthRepeating(thrown)) throw thrown;
      // Many that were told the same moment do not all come back at it.
      await sleep(askedMs === undefined ? delayMs : askedMs * (1 + made * Math.random()), signal);
    }
  }
}

function withQuery(url: string, fields: Readonly<Record<string, unknown>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
      query.set(name, String(value));
    }
  }
  return query.size === 0 ? url : `${url}?${query.toString()}`;
}

/** Nothing answered, or the first attempt of this key is still being served. */
function isWorthRepeating(thrown: unknown): boolean {
  return (
    BenchtopError.is(thrown) &&
    (thrown.info.subphase === "daemon_unreachable" || (thrown.code === "IDEMPOTENCY_CONFLICT" && thrown.info.retryable))
  );
}

/** How long a daemon with too many requests wants to be left alone, where that is worth waiting for. */
function waitAskedFor(thrown: unknown): number | undefined {
  if (!BenchtopError.is(thrown) || thrown.code !== "RATE_LIMITED") return undefined;
  const asked = thrown.info.detail?.["retry_after_ms"];
  return typeof asked === "number" && asked >= 0 && asked <= longestWaitMs ? asked : undefined;
}

export function unreachable(url: string, cause: unknown): BenchtopError {
  const refused = certificateProblem(cause);
  if (refused !== undefined) return untrusted(url, refused, cause);
  return new BenchtopError("NETWORK_UNAVAILABLE", `The Benchtop daemon at ${url} does not answer. Is it running?`, {
    phase: "settings",
    subphase: "daemon_unreachable",
    actions: ["retry"],
    detail: { url },
    cause,
  });
}

/** What Node says is wrong with a certificate; browsers do not tell. */
function certificateProblem(thrown: unknown): string | undefined {
  for (let cause = thrown; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown };
    if (typeof code === "string" && /CERT|SELF_SIGNED|LEAF_SIGNATURE/.test(code)) return code;
  }
  return undefined;
}

function untrusted(url: string, problem: string, cause: unknown): BenchtopError {
  return new BenchtopError("NETWORK_UNAVAILABLE", `The certificate of ${url} is not trusted here (${problem}).`, {
    phase: "settings",
    subphase: "untrusted_certificate",
    actions: [],
    retryable: false,
    detail: { url, problem },
    cause,
  });
}

export function canceled(cause?: unknown): Error {
  const error = new Error("Canceled.", { cause });
  error.name = "AbortError";
  return error;
}

/** The error that a failed response describes; an answer without our envelope came from something in between. */
async function readFailure(response: Response, url: string): Promise<BenchtopError> {
  let parsed: unknown;
  try {
    parsed = await response.json();
  } catch (cause) {
    return unknownAnswer(response, url, cause);
  }
  const info = (parsed as { error?: Partial<ErrorInfo> & { message?: unknown } } | null)?.error;
  return errorOf(info?.message, info) ?? unknownAnswer(response, url, undefined);
}

/** The error that the daemon describes; undefined where that is no error of the taxonomy. */
export function errorOf(message: unknown, info: Partial<ErrorInfo> | undefined): BenchtopError | undefined {
  const code = info?.error_code;
  if (info === undefined || typeof code !== "string" || !Object.hasOwn(errorRules, code)) return undefined;
  return toError(code, typeof message === "string" ? message : code, info);
}

function toError(code: ErrorCode, message: string, info: Partial<ErrorInfo>): BenchtopError {
  return new BenchtopError(code, message, {
    ...(info.phase !== undefined && { phase: info.phase }),
    ...(info.subphase !== undefined && { subphase: info.subphase }),
    ...(info.retryable !== undefined && { retryable: info.retryable }),
    ...(info.actions !== undefined && { actions: info.actions }),
    ...(info.provider_id !== undefined && { providerId: info.provider_id }),
    ...(info.model_id !== undefined && { modelId: info.model_id }),
    ...(info.run_id !== undefined && { runId: info.run_id }),
    ...(info.workbench_id !== undefined && { workbenchId: info.workbench_id }),
    ...(info.detail !== undefined && { detail: info.detail }),
    ...(info.detail_ref !== undefined && { detailRef: info.detail_ref }),
  });
}

function unknownAnswer(response: Response, url: string, cause: unknown): BenchtopError {
  return new BenchtopError(
    "NETWORK_UNAVAILABLE",
    `What answers at ${url} is not a Benchtop daemon (HTTP ${response.status}).`,
    {
      phase: "settings",
      subphase: "not_a_daemon",
      actions: [],
      retryable: false,
      detail: { url, status: response.status },
      cause,
    },
  );
}

/** Waits, or returns early when the signal aborts. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", done);
    if (signal?.aborted === true) done();
  });
}
