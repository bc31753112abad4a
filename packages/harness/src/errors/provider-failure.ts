import { BenchtopError, type ErrorCode, type ErrorOptions, type Message } from "@benchtop/protocol";

/** What a failure is seen against: whose it is, and what its text must not give away. */
export interface FailureContext {
  readonly providerId: string;
  readonly modelId: string;
  readonly apiKey?: string | undefined;
  readonly messages: readonly Message[];
}

/** The error object of a provider, in a response or in a frame of its stream, as far as it could be read. */
export interface ProviderComplaint {
  readonly message?: string;
  readonly code?: string;
  readonly type?: string;
}

/** A response other than 2xx. */
export function failureOfResponse(
  status: number,
  headers: Headers,
  complaint: ProviderComplaint,
  context: FailureContext,
): BenchtopError {
  const { providerId, modelId } = context;
  const said = quotable(complaint.message, context);
  const retryAfter = retryAfterMs(headers);
  const failure = (code: ErrorCode, message: string, options: ErrorOptions = {}) =>
    new BenchtopError(code, message, {
      ...options,
      providerId,
      modelId,
      detail: { status, ...(retryAfter !== undefined && { retry_after_ms: retryAfter }), ...options.detail },
    });

  if (status === 401 || status === 403) {
    return failure("PROVIDER_AUTH_FAILED", `${providerId} did not accept the API key. Check the key in the settings.`);
  }
  if (isQuota(status, complaint)) {
    return failure("PROVIDER_RATE_LIMITED", `The account at ${providerId} has no credit left.`, {
      retryable: false,
      actions: ["open_settings", "switch_model"],
      detail: { quota: true },
    });
  }
  if (status === 429) {
    const wait = retryAfter === undefined ? "" : ` It asks to wait ${Math.ceil(retryAfter / 1000)} s.`;
    return failure("PROVIDER_RATE_LIMITED", `${providerId} is limiting requests.${wait}`);
  }
  if (isContextLength(status, complaint)) {
    return failure("CONTEXT_EXHAUSTED", `The conversation is longer than ${modelId} can read.`);
  }
  if (status === 404) {
    return failure(
      "PROVIDER_NOT_CONFIGURED",
      `${providerId} does not know the model ${modelId}, or its address is wrong.${said}`,
    );
  }
  if (status >= 300 && status < 400) {
    return failure(
      "PROVIDER_UNAVAILABLE",
      `${providerId} answers with a redirect. Set its final address in the settings.`,
      {
        retryable: false,
        actions: ["open_settings"],
      },
    );
  }
  if (status >= 500 || status === 408) {
    return failure("PROVIDER_UNAVAILABLE", `${providerId} could not answer (status ${status}).${said}`);
  }
  return failure("VALIDATION_FAILED", `${providerId} refused the request (status ${status}).${said}`, {
    actions: ["switch_model", "open_settings"],
  });
}

/** An error that a provider reports in the middle of a stream that began well. */
export function failureOfFrame(complaint: ProviderComplaint, context: FailureContext): BenchtopError {
  return failureOfResponse(statusOf(complaint), new Headers(), complaint, context);
}

/** What `fetch` or the body threw. `started` tells whether the response had begun. */
export function failureOfTransport(
  thrown: unknown,
  signal: AbortSignal,
  started: boolean,
  context: FailureContext,
): BenchtopError {
  const { providerId, modelId } = context;
  if (signal.aborted) return new BenchtopError("USER_CANCELED", "The request was canceled.", { providerId, modelId });
  if (BenchtopError.is(thrown)) return thrown.at({ providerId, modelId });
  const system = systemCodeOf(thrown);
  const options = { providerId, modelId, cause: thrown, ...(system !== undefined && { detail: { system } }) };
  return started
    ? new BenchtopError(
        "PROVIDER_UNAVAILABLE",
        `The connection to ${providerId} broke before its answer was complete.`,
        options,
      )
    : new BenchtopError(
        "NETWORK_UNAVAILABLE",
        `${providerId} cannot be reached${reasons[system ?? ""] ?? ""}.`,
        options,
      );
}

/** Reads the error out of a response body or a frame; servers disagree on its form. */
export function complaintIn(body: unknown): ProviderComplaint | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const { error, message, detail, object } = body as Record<string, unknown>;
  if (typeof error === "string") return { message: error };
  if (typeof error === "object" && error !== null) return fieldsOf(error as Record<string, unknown>);
  if (object === "error" || typeof message === "string") return fieldsOf(body as Record<string, unknown>);
  return typeof detail === "string" ? { message: detail } : undefined;
}

function fieldsOf({ message, code, type }: Record<string, unknown>): ProviderComplaint {
  return {
    ...(typeof message === "string" && { message }),
    ...((typeof code === "string" || typeof code === "number") && { code: String(code) }),
    ...(typeof type === "string" && { type }),
  };
}

function isQuota(status: number, { code, type }: ProviderComplaint): boolean {
  return status === 402 || code === "insufficient_quota" || type === "insufficient_quota";
}

function isContextLength(status: number, { code, type, message = "" }: ProviderComplaint): boolean {
  if (status === 413 || code === "context_length_exceeded" || type === "exceed_context_size_error") return true;
  return (
    status < 500 && /context (length|window|size)|maximum context|prompt is too long|too many tokens/i.test(message)
  );
}

/** The status that a response would have had, for an error that came in a stream. */
function statusOf({ code, type }: ProviderComplaint): number {
  const number = Number(code);
  if (Number.isInteger(number) && number >= 400 && number < 600) return number;
  const kind = `${code ?? ""} ${type ?? ""}`;
  if (/rate_limit|insufficient_quota/.test(kind)) return 429;
  if (/authentication|invalid_api_key|permission/.test(kind)) return 401;
  if (/model_not_found/.test(kind)) return 404;
  if (/invalid_|context_length|unsupported_|image_/.test(kind)) return 400;
  return 500;
}

/** `Retry-After` in seconds or as a date, or OpenAI's `retry-after-ms`; at most a day. */
function retryAfterMs(headers: Headers): number | undefined {
  const milliseconds = headers.get("retry-after-ms");
  const after = headers.get("retry-after");
  const wait = milliseconds !== null ? Number(milliseconds) : after !== null ? untilMs(after) : Number.NaN;
  return Number.isFinite(wait) ? Math.min(Math.max(0, Math.round(wait)), 24 * 60 * 60 * 1000) : undefined;
}

function untilMs(after: string): number {
  const seconds = Number(after);
  return Number.isFinite(seconds) ? seconds * 1000 : Date.parse(after) - Date.now();
}

const longestQuote = 300;
const echoLength = 12;
const shortestSecret = 8;

/**
 * The provider's own words as a further sentence, cleaned and bounded. Nothing where they hold the API key, or repeat
 * what was sent: an error is kept and shown in places where a prompt has no business.
 */
function quotable(message: string | undefined, { apiKey, messages }: FailureContext): string {
  const text = clean(message ?? "");
  if (text === "" || (apiKey !== undefined && apiKey !== "" && text.includes(apiKey))) return "";
  const quote = text.length > longestQuote ? `${text.slice(0, longestQuote)}…` : text;
  return echoes(quote, messages) ? "" : ` It says: ${quote}`;
}

/** True when the quote repeats a whole message, or any 24 characters in a row of one (such a row holds a window of twelve). */
function echoes(quote: string, messages: readonly Message[]): boolean {
  const sent = messages.map((message) => clean(message.content));
  if (sent.some((content) => content.length >= shortestSecret && quote.includes(content))) return true;
  for (let start = 0; start + echoLength <= quote.length; start += echoLength) {
    const window = quote.slice(start, start + echoLength);
    if (sent.some((content) => content.includes(window))) return true;
  }
  return false;
}

function clean(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: ": nothing listens at its address",
  ENOTFOUND: ": its host name is not known",
  EAI_AGAIN: ": its host name could not be looked up",
  ETIMEDOUT: ": it does not answer",
  UND_ERR_CONNECT_TIMEOUT: ": it does not answer",
  EHOSTUNREACH: ": there is no route to it",
  ENETUNREACH: ": there is no network",
};

/** `fetch` hides the reason in `cause`, and several attempts in an `AggregateError`. */
function systemCodeOf(thrown: unknown): string | undefined {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 5; depth += 1) {
    const { code } = error as { code?: unknown };
    if (typeof code === "string") return code;
    error = error instanceof AggregateError ? error.errors[0] : error.cause;
  }
  return undefined;
}
