import { setTimeout as sleep } from "node:timers/promises";
import { readServerSentEvents } from "@benchtop/client";
import { BenchtopError, errorRules, type ErrorInfo } from "@benchtop/protocol/errors";

export interface Address {
  readonly url: string;
  readonly token: string;
}

/** One message of JSON-RPC, as far as the bridge looks into it. */
export interface Message {
  readonly jsonrpc?: unknown;
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: { readonly protocolVersion?: unknown };
  readonly error?: unknown;
}

export interface Exchange {
  /** True in the protocol without sessions. */
  readonly standsAlone: boolean;
  /** Once the daemon has it, or will not get it. */
  readonly sent: Promise<unknown>;
  /** Once everything that the daemon says to it was passed on. */
  readonly answered: Promise<void>;
}

export interface ConnectionOptions {
  readonly address: Address;
  readonly find: (again: boolean) => Promise<Address>;
  readonly workspace: string | undefined;
  readonly onMessage: (message: Message) => Promise<void>;
}

const resumeAttempts = 5;
const resumeDelayMs = 300;

/**
 * MCP over HTTP with one daemon. A session that the daemon no longer knows, because it was started anew or nobody used it for
 * long, is greeted again with what the client said when it began; the client notices nothing.
 */
export class McpConnection {
  readonly #options: ConnectionOptions;
  readonly #closing = new AbortController();
  #address: Address;
  #greeting: Message | undefined;
  #session: { readonly id: string; readonly version: string } | undefined;
  /** The client was greeted; without a session it has to be greeted again. */
  #hadSession = false;
  #renewing: Promise<void> | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#address = options.address;
  }

  send(message: Message, canceled: AbortSignal): Exchange {
    if (message.method === "initialize") this.#greeting = message;
    const signal = AbortSignal.any([canceled, this.#closing.signal]);
    const sent = this.#post(message, signal);
    const answered = sent.then((response) => this.#read(message, response, signal));
    return { standsAlone: versionIn(message) !== undefined, sent: sent.catch(() => undefined), answered };
  }

  /** Ends the session, and with it what is still being done for it. */
  async close(): Promise<void> {
    this.#closing.abort();
    if (this.#session === undefined) return;
    const headers = this.#headers({});
    try {
      await fetch(`${this.#address.url}/mcp`, { method: "DELETE", headers, signal: AbortSignal.timeout(2000) });
    } catch {
      // A daemon that is gone has no session either.
    }
  }

  /** Throws what kept the message from the daemon. */
  async #post(message: Message, signal: AbortSignal): Promise<Response> {
    const needsSession = this.#hadSession && versionIn(message) === undefined && message.method !== "initialize";
    const session = this.#session?.id;
    try {
      if (needsSession && session === undefined) await this.#renew(undefined);
      const response = await this.#request(message, signal);
      if (response.status !== 404 || !needsSession) return response;
      await response.body?.cancel();
    } catch (error) {
      if (BenchtopError.is(error)) throw error;
      if (signal.aborted || !wasRefused(error)) throw unreachable(this.#address.url, error);
      this.#address = await this.#options.find(true);
    }
    try {
      if (needsSession) await this.#renew(session);
      return await this.#request(message, signal);
    } catch (error) {
      throw BenchtopError.is(error) ? error : unreachable(this.#address.url, error);
    }
  }

  #request(message: Message, signal: AbortSignal): Promise<Response> {
    return fetch(`${this.#address.url}/mcp`, {
      method: "POST",
      redirect: "error",
      headers: { ...this.#headers(message), "content-type": "application/json" },
      body: JSON.stringify(message),
      signal,
    });
  }

  #headers(message: Message): Record<string, string> {
    const alone = versionIn(message);
    const name = message.params?.["name"] ?? message.params?.["uri"];
    return {
      authorization: `Bearer ${this.#address.token}`,
      accept: "application/json, text/event-stream",
      ...(this.#options.workspace !== undefined && { "benchtop-workspace": this.#options.workspace }),
      ...(alone !== undefined && { "mcp-protocol-version": alone, "mcp-method": inHeader(String(message.method)) }),
      ...(alone !== undefined &&
        named.has(message.method) &&
        typeof name === "string" && { "mcp-name": inHeader(name) }),
      ...(alone === undefined &&
        this.#session !== undefined &&
        message.method !== "initialize" && {
          "mcp-session-id": this.#session.id,
          "mcp-protocol-version": this.#session.version,
        }),
    };
  }

  async #read(message: Message, response: Response, signal: AbortSignal): Promise<void> {
    const pass = async (answer: Message): Promise<void> => {
      if (message.method === "initialize") this.#begin(response, answer);
      const isNameless = "error" in answer && answer.id == null;
      if (isNameless && message.id === undefined) throw refusedBy(answer);
      await this.#options.onMessage(isNameless ? { ...answer, id: message.id } : answer);
    };
    if (isStream(response)) await this.#readStream(message, response, signal, pass);
    else if (response.status !== 202 && response.status !== 204)
      await pass(await readMessage(response, this.#address.url));
    if (message.method === "notifications/initialized") void this.#listen();
  }

  /** Takes a stream that breaks up again where it was; without that its request would stay unanswered. */
  async #readStream(
    message: Message,
    response: Response,
    signal: AbortSignal,
    pass: (answer: Message) => Promise<void>,
  ): Promise<void> {
    let stream: Response | undefined = response;
    let last = "";
    for (let attempt = 0; attempt <= resumeAttempts; attempt++) {
      if (attempt > 0) await sleep(resumeDelayMs, undefined, { signal });
      stream ??= last === "" ? undefined : await this.#resume(last, signal);
      if (stream?.body == null) continue;
      try {
        for await (const batch of readServerSentEvents(stream.body)) {
          for (const { id, data } of batch) {
            if (id !== "") last = id;
            if (data === "") continue;
            const said = JSON.parse(data) as Message;
            await pass(said);
            if (said.method === undefined && sameId(said.id, message.id)) return;
          }
        }
        if (message.id === undefined) return;
      } catch (error) {
        if (signal.aborted) throw error;
      }
      stream = undefined;
    }
    throw unreachable(this.#address.url, undefined, "What was asked and not answered may have been done.");
  }

  async #resume(last: string, signal: AbortSignal): Promise<Response | undefined> {
    try {
      const headers = { ...this.#headers({}), accept: "text/event-stream", "last-event-id": last };
      const response = await fetch(`${this.#address.url}/mcp`, { headers, signal, redirect: "error" });
      if (response.ok) return response;
      await response.body?.cancel();
    } catch (error) {
      if (signal.aborted) throw error;
    }
    return undefined;
  }

  #begin(response: Response, { result }: Message): void {
    const id = response.headers.get("mcp-session-id");
    if (id === null || typeof result?.protocolVersion !== "string") return;
    this.#session = { id, version: result.protocolVersion };
    this.#hadSession = true;
  }

  /** What the daemon says of itself, beside its answers, as long as the session lasts. */
  async #listen(): Promise<void> {
    const { signal } = this.#closing;
    const session = this.#session;
    let last = "";
    const isOurs = (): boolean => session !== undefined && session === this.#session;
    while (!signal.aborted && isOurs()) {
      try {
        const headers = {
          ...this.#headers({}),
          accept: "text/event-stream",
          ...(last !== "" && { "last-event-id": last }),
        };
        const response = await fetch(`${this.#address.url}/mcp`, { headers, signal, redirect: "error" });
        if (!response.ok || response.body === null) return;
        for await (const batch of readServerSentEvents(response.body)) {
          for (const { id, data } of batch) {
            if (id !== "") last = id;
            if (data !== "") await this.#options.onMessage(JSON.parse(data) as Message);
          }
        }
      } catch {
        // Lost; the next request finds out whether the daemon is still there.
      }
      await sleep(resumeDelayMs * 4, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  /** A session in place of the one that was forgotten; once, however many requests notice. */
  async #renew(forgotten: string | undefined): Promise<void> {
    if (this.#session?.id !== forgotten) return;
    this.#renewing ??= this.#greetAgain().finally(() => (this.#renewing = undefined));
    await this.#renewing;
  }

  async #greetAgain(): Promise<void> {
    this.#session = undefined;
    const { signal } = this.#closing;
    const response = await this.#request({ ...this.#greeting, id: "benchtop-again" }, signal);
    if (isStream(response) && response.body !== null) {
      for await (const batch of readServerSentEvents(response.body)) {
        for (const { data } of batch) if (data !== "") this.#begin(response, JSON.parse(data) as Message);
      }
    } else this.#begin(response, await readMessage(response, this.#address.url));
    await (await this.#request({ jsonrpc: "2.0", method: "notifications/initialized" }, signal)).body?.cancel();
    void this.#listen();
  }
}

/** Requests that name a thing, which the newer protocol repeats in a header. */
const named: ReadonlySet<unknown> = new Set(["tools/call", "prompts/get", "resources/read"]);

/** The version of the newer protocol, which each of its requests names. */
function versionIn({ params }: Message): string | undefined {
  const meta = params?.["_meta"] as Readonly<Record<string, unknown>> | undefined;
  const version = meta?.["io.modelcontextprotocol/protocolVersion"];
  return typeof version === "string" ? inHeader(version) : undefined;
}

function inHeader(text: string): string {
  const isPlain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !text.startsWith("=?base64?");
  return isPlain ? text : `=?base64?${Buffer.from(text).toString("base64")}?=`;
}

function sameId(one: unknown, other: unknown): boolean {
  return other !== undefined && one === other;
}

function isStream(response: Response): boolean {
  return response.headers.get("content-type")?.startsWith("text/event-stream") === true;
}

/** A message of MCP, failures too. Throws what the envelope of REST says, or that this is no daemon. */
async function readMessage(response: Response, url: string): Promise<Message> {
  let value: unknown;
  try {
    value = await response.json();
  } catch (cause) {
    throw noDaemon(response, url, cause);
  }
  const message = value as Message | null;
  if (message?.jsonrpc === "2.0") return message;
  const failure = (value as { error?: { message: string } & ErrorInfo } | null)?.error;
  const isOurs = failure !== undefined && Object.hasOwn(errorRules, failure.error_code);
  throw isOurs ? BenchtopError.of(failure) : noDaemon(response, url, undefined);
}

/** What a message without an id was answered, which nobody waits for. */
function refusedBy({ error }: Message): BenchtopError {
  const { message } = error as { message?: unknown };
  return new BenchtopError("VALIDATION_FAILED", typeof message === "string" ? message : "It was refused.");
}

/** Nothing was listening, so nothing was done. */
function wasRefused(error: unknown): boolean {
  const cause = (error as { cause?: { code?: unknown } } | null)?.cause;
  return cause?.code === "ECONNREFUSED";
}

function noDaemon({ status }: Response, url: string, cause: unknown): BenchtopError {
  return new BenchtopError("NETWORK_UNAVAILABLE", `What answers at ${url} speaks no MCP (HTTP ${status}).`, {
    phase: "settings",
    subphase: "not_a_daemon",
    retryable: false,
    actions: [],
    cause,
  });
}

function unreachable(url: string, cause: unknown, more = ""): BenchtopError {
  const message = `The Benchtop daemon at ${url} does not answer. ${more}`.trim();
  return new BenchtopError("NETWORK_UNAVAILABLE", message, {
    phase: "settings",
    subphase: "daemon_unreachable",
    actions: ["retry"],
    cause,
  });
}
