import { BenchtopError, type ErrorCode, type ErrorOptions } from "@benchtop/protocol";

/** Where a model server is and how it is reached. */
export interface RemoteRuntimeOptions {
  /** The provider's name. */
  readonly id: string;
  /** For example `http://127.0.0.1:11434`; `/v1` at its end is understood. */
  readonly baseUrl: string;
  readonly apiKey?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** How lists and states are read: requests without content, through the gate. */
  readonly look: typeof globalThis.fetch;
  /** How models are loaded, unloaded and asked where a call brings no `fetch` of its own, through the gate. */
  readonly ask: typeof globalThis.fetch;
  /** For lists and states. 10 seconds unless told. */
  readonly lookTimeoutMs?: number;
}

/** More than any list or page of vectors is. */
const mostBytes = 64 * 1024 * 1024;

/** The requests of a runtime beside chat. Failures are of the taxonomy and never repeat what the server wrote: some repeat the key. */
export class RemoteServer {
  readonly id: string;
  /** Without a slash, and without `/v1`, at its end. */
  readonly root: string;
  readonly options: RemoteRuntimeOptions;

  constructor(options: RemoteRuntimeOptions) {
    this.options = options;
    this.id = options.id;
    this.root = options.baseUrl.trim().replace(/\/+$/, "").replace(/\/v1$/, "");
  }

  get headers(): Readonly<Record<string, string>> {
    const { apiKey = "", headers } = this.options;
    return { ...(apiKey !== "" && { authorization: `Bearer ${apiKey}` }), ...headers };
  }

  /** The JSON at a path. */
  async get(path: string, signal: AbortSignal): Promise<unknown> {
    return this.#json(await this.text(path, signal));
  }

  /** The JSON at a path; undefined where the server has nothing there (404, 405, 501). */
  async getIfThere(path: string, signal: AbortSignal): Promise<unknown> {
    const text = await this.textIfThere(path, signal);
    return text === undefined ? undefined : this.#json(text);
  }

  async text(path: string, signal: AbortSignal): Promise<string> {
    const text = await this.textIfThere(path, signal);
    if (text !== undefined) return text;
    throw new BenchtopError(
      "PROVIDER_UNAVAILABLE",
      `${this.id} has nothing at ${path}. Check its address and its version.`,
      { providerId: this.id, retryable: false, actions: ["open_settings"], detail: { path } },
    );
  }

  async textIfThere(path: string, signal: AbortSignal): Promise<string | undefined> {
    const { look, lookTimeoutMs = 10_000 } = this.options;
    const seconds = lookTimeoutMs / 1000;
    const tooSlow = new BenchtopError("PROVIDER_UNAVAILABLE", `${this.id} did not answer within ${seconds} s.`, {
      providerId: this.id,
    });
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(tooSlow), lookTimeoutMs);
    try {
      const init = { headers: { accept: "application/json, text/plain", ...this.headers } };
      const both = AbortSignal.any([signal, timeout.signal]);
      const response = await this.#fetch(look, path, init, both);
      if (!absent.has(response.status)) return await this.#textOf(response, both, path);
      await response.body?.cancel();
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Sends JSON and reads JSON. An empty answer is undefined. */
  async post(
    path: string,
    body: object,
    signal: AbortSignal,
    options: { readonly modelId?: string; readonly fetch?: typeof globalThis.fetch | undefined } = {},
  ): Promise<unknown> {
    const { modelId, fetch = this.options.ask } = options;
    const init: RequestInit = {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json", ...this.headers },
      body: JSON.stringify(body),
    };
    const response = await this.#fetch(fetch, path, init, signal, modelId);
    const text = await this.#textOf(response, signal, path, modelId);
    return text === "" ? undefined : this.#json(text);
  }

  /** The refusal of an answer that is not what its protocol says. */
  malformed(what: string): BenchtopError {
    return new BenchtopError("PROVIDER_UNAVAILABLE", `${this.id} answered with something that is no ${what}.`, {
      providerId: this.id,
      retryable: false,
      actions: ["open_settings", "switch_model"],
    });
  }

  async #textOf(response: Response, signal: AbortSignal, path: string, modelId?: string): Promise<string> {
    if (!response.ok) throw await this.#refused(response, modelId, path, signal);
    return await this.#read(response, signal);
  }

  async #fetch(
    fetch: typeof globalThis.fetch,
    path: string,
    init: RequestInit,
    signal: AbortSignal,
    modelId?: string,
  ): Promise<Response> {
    const place = { providerId: this.id, ...(modelId !== undefined && { modelId }) };
    try {
      signal.throwIfAborted();
      return await fetch(`${this.root}${path}`, { ...init, redirect: "manual", signal });
    } catch (thrown) {
      if (signal.aborted) throw BenchtopError.from(signal.reason, "USER_CANCELED").at(place);
      if (BenchtopError.is(thrown)) throw thrown.at(place);
      throw new BenchtopError("NETWORK_UNAVAILABLE", `${this.id} cannot be reached. Is it running?`, {
        ...place,
        cause: thrown,
      });
    }
  }

  async #read(response: Response, signal: AbortSignal): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    let bytes = 0;
    try {
      for await (const chunk of response.body ?? []) {
        bytes += chunk.length;
        if (bytes > mostBytes) throw this.malformed("answer of a size that can be read");
        text += decoder.decode(chunk, { stream: true });
      }
    } catch (thrown) {
      if (signal.aborted) throw BenchtopError.from(signal.reason, "USER_CANCELED");
      if (BenchtopError.is(thrown)) throw thrown;
      throw new BenchtopError(
        "PROVIDER_UNAVAILABLE",
        `The connection to ${this.id} broke before its answer was complete.`,
        { providerId: this.id, cause: thrown },
      );
    }
    return text + decoder.decode();
  }

  #json(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch {
      throw this.malformed("JSON. Check its address");
    }
  }

  async #refused(
    response: Response,
    modelId: string | undefined,
    path: string,
    signal: AbortSignal,
  ): Promise<BenchtopError> {
    const { status, headers } = response;
    const words = await this.#read(response, signal).catch(() => "");
    if (signal.aborted) return BenchtopError.from(signal.reason, "USER_CANCELED");
    const wait = retryAfterMs(headers.get("retry-after"));
    const failure = (code: ErrorCode, message: string, options: ErrorOptions = {}): BenchtopError =>
      new BenchtopError(code, message, {
        ...options,
        providerId: this.id,
        ...(modelId !== undefined && { modelId }),
        detail: { status, path, ...(wait !== undefined && { retry_after_ms: wait }) },
      });
    const of = modelId ?? this.id;
    if (status === 401 || status === 403) {
      return failure("PROVIDER_AUTH_FAILED", `${this.id} did not accept the API key. Check the key in the settings.`);
    }
    if (status === 429) return failure("PROVIDER_RATE_LIMITED", `${this.id} takes no more requests for now.`);
    if (tooLong.test(words)) return failure("CONTEXT_EXHAUSTED", `A text is longer than ${of} can read.`);
    if (modelId !== undefined && (status === 404 || noModel.test(words))) {
      return failure("PROVIDER_NOT_CONFIGURED", `${this.id} does not know the model ${modelId}.`);
    }
    if (absent.has(status) || (status >= 300 && status < 400)) {
      return failure(
        "PROVIDER_UNAVAILABLE",
        `${this.id} cannot do this at ${path}. Check its address and its version.`,
        {
          retryable: false,
          actions: ["open_settings"],
        },
      );
    }
    if (status >= 500) return failure("PROVIDER_UNAVAILABLE", `${this.id} could not answer (status ${status}).`);
    return failure("VALIDATION_FAILED", `${this.id} refused the request for ${of} (status ${status}).`, {
      actions: ["switch_model", "open_settings"],
    });
  }
}

const absent: ReadonlySet<number> = new Set([404, 405, 501]);
const tooLong =
  /context (length|size|window)|input length exceeds|too large to process|maximum (context|input)|longer than the/i;
const noModel = /model.{0,200}(not found|does not exist|not exist)/i;

/** Seconds or a date (RFC 9110, 10.2.3), in milliseconds from now. */
function retryAfterMs(value: string | null): number | undefined {
  if (value === null) return undefined;
  const milliseconds = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(milliseconds) ? Math.max(0, Math.round(milliseconds)) : undefined;
}
