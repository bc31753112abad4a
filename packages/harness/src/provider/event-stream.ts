import { BenchtopError } from "@benchtop/protocol";
import {
  complaintInText,
  failureOfResponse,
  failureOfTransport,
  noComplaint,
  type FailureContext,
  type ProviderComplaint,
} from "../errors/provider-failure.ts";
import { SseDecoder } from "../stream/sse.ts";
import type { EventReader } from "./event-reader.ts";
import type { ProviderAdapter, ProviderId, ProviderPart, ProviderRequest } from "./provider.ts";

/** Where a provider is and how it is reached. */
export interface ProviderOptions {
  /** The name that model references and errors use. */
  readonly id: ProviderId;
  /** For example `https://api.openai.com/v1`. */
  readonly baseUrl: string;
  readonly apiKey?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** How requests are made; the process's own `fetch` when absent. */
  readonly fetch?: typeof globalThis.fetch;
}

/** How one protocol asks and is understood, above the HTTP that all of them share. */
export interface EventStreamProtocol {
  /** Joined to the base URL. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** `Authorization: Bearer` when absent. */
  readonly authorization?: (apiKey: string) => Readonly<Record<string, string>>;
  /** Throws `VALIDATION_FAILED` for what the protocol cannot say. */
  bodyOf(request: ProviderRequest): object;
  readerOf(request: ProviderRequest, context: FailureContext): EventReader;
}

/** An adapter that posts each request and reads its event stream. */
export function eventStreamAdapter(options: ProviderOptions, protocol: EventStreamProtocol): ProviderAdapter {
  return { id: options.id, stream: (request, signal) => streamEvents(options, protocol, request, signal) };
}

/**
 * Yields what the event stream of a response says: an empty batch once it has begun, then one for each network chunk that
 * says something. Aborting the signal, or leaving the iteration before its end, closes the connection.
 */
async function* streamEvents(
  options: ProviderOptions,
  protocol: EventStreamProtocol,
  request: ProviderRequest,
  signal: AbortSignal,
): AsyncGenerator<readonly ProviderPart[]> {
  const { id: providerId, apiKey } = options;
  const context = { providerId, apiKey, modelId: request.modelId, messages: request.messages };
  const reader = protocol.readerOf(request, context);
  const response = await post(options, protocol, wireBodyOf(protocol, request, context), context, signal);
  const chunks = bodyOf(response, context).getReader();
  const decoder = new SseDecoder();
  let complete = false;
  try {
    yield [];
    while (!reader.isDone) {
      const { done, value } = await chunks.read();
      const parts: ProviderPart[] = [];
      for (const data of done ? decoder.end() : decoder.push(value)) reader.read(data, parts);
      if (parts.length > 0) yield parts;
      if (done) break;
    }
    const last: ProviderPart[] = [];
    reader.end(last);
    complete = true;
    yield last;
  } catch (thrown) {
    throw failureOfTransport(thrown, signal, true, context);
  } finally {
    void (complete ? drain(chunks) : cancel(chunks));
  }
}

async function post(
  { baseUrl, apiKey = "", headers, fetch = globalThis.fetch }: ProviderOptions,
  { path, headers: protocolHeaders, authorization = bearer }: EventStreamProtocol,
  body: object,
  context: FailureContext,
  signal: AbortSignal,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(`${baseUrl.replace(/\/+$/, "")}${path}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "text/event-stream",
        ...protocolHeaders,
        ...(apiKey !== "" && authorization(apiKey)),
        ...headers,
      },
      body: JSON.stringify(body),
      redirect: "manual",
      signal,
    });
  } catch (thrown) {
    throw failureOfTransport(thrown, signal, false, context);
  }
  if (response.ok) return response;
  const complaint = await complaintOf(response);
  if (signal.aborted) throw failureOfTransport(signal.reason, signal, true, context);
  throw failureOfResponse(response.status, response.headers, complaint, context);
}

function wireBodyOf(protocol: EventStreamProtocol, request: ProviderRequest, context: FailureContext): object {
  try {
    return protocol.bodyOf(request);
  } catch (thrown) {
    throw BenchtopError.from(thrown).at(context);
  }
}

function bearer(apiKey: string): Record<string, string> {
  return { authorization: `Bearer ${apiKey}` };
}

/** The body of a response that is an event stream; a whole JSON document or a web page is a wrong address or an error. */
function bodyOf(response: Response, context: FailureContext): ReadableStream<Uint8Array> {
  const type = response.headers.get("content-type") ?? "";
  if (response.body && !/^(application\/json|text\/html)/i.test(type)) return response.body;
  response.body?.cancel().catch(() => {});
  throw new BenchtopError(
    "PROVIDER_UNAVAILABLE",
    `${context.providerId} answered with ${type === "" ? "nothing" : type.split(";")[0]} where a stream was expected. Check its address.`,
    {
      retryable: false,
      actions: ["open_settings", "switch_model"],
      providerId: context.providerId,
      modelId: context.modelId,
    },
  );
}

const longestComplaint = 64 * 1024;

/** An error body is short; what is longer or broken is no complaint that anyone could read. */
async function complaintOf(response: Response): Promise<ProviderComplaint> {
  let text = "";
  try {
    const decoder = new TextDecoder();
    for await (const bytes of response.body ?? []) {
      text += decoder.decode(bytes, { stream: true });
      if (text.length > longestComplaint) return noComplaint;
    }
    return complaintInText(text);
  } catch {
    return noComplaint;
  }
}

const drainMs = 1000;

/** Lets the last bytes of a finished answer arrive, so that the connection can be used again. */
async function drain(chunks: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  const timer = setTimeout(() => void cancel(chunks), drainMs);
  try {
    while (!(await chunks.read()).done);
  } catch {
    // The answer was complete; how its connection ends no longer matters.
  } finally {
    clearTimeout(timer);
  }
}

async function cancel(chunks: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  try {
    await chunks.cancel();
  } catch {
    // The connection is gone already.
  }
}
