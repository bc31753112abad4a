import { BenchtopError, type ErrorCode, type ErrorOptions, type Message } from "@benchtop/protocol";
import type { ProviderComplaint } from "./provider-failure-body.ts";
import { failureKind } from "./provider-failure-kind.ts";
import { retryAfterMs } from "./provider-failure-wait.ts";

export { complaintIn, complaintInText, noComplaint, type ProviderComplaint } from "./provider-failure-body.ts";

/** What a failure is seen against: whose it is, and what its text must not give away. */
export interface FailureContext {
  readonly providerId: string;
  readonly modelId: string;
  readonly apiKey?: string | undefined;
  /** False where the key is not known, so that nothing a provider says can be told from it. */
  readonly isQuotable?: boolean;
  readonly messages: readonly Message[];
}

/** A response other than 2xx. */
export function failureOfResponse(
  status: number,
  headers: Headers,
  complaint: ProviderComplaint,
  context: FailureContext,
): BenchtopError {
  return failureOf(status, headers, complaint, context);
}

/** An error that a provider reports in the middle of a stream that began well. */
export function failureOfFrame(complaint: ProviderComplaint, context: FailureContext): BenchtopError {
  return failureOf(undefined, new Headers(), complaint, context);
}

function failureOf(
  status: number | undefined,
  headers: Headers,
  complaint: ProviderComplaint,
  context: FailureContext,
): BenchtopError {
  const { providerId, modelId, apiKey } = context;
  const kind = failureKind(status, complaint);
  const said = quotable(complaint.message, context);
  const wait = retryAfterMs(headers, complaint);
  const name = complaint.names.find((candidate) => /^[\w.-]{1,64}$/.test(candidate) && candidate !== apiKey);
  const failure = (code: ErrorCode, message: string, options: ErrorOptions = {}) =>
    new BenchtopError(code, message, {
      ...retryableBy(headers),
      ...options,
      providerId,
      modelId,
      detail: {
        ...(status !== undefined && { status }),
        ...(name !== undefined && { provider_code: name }),
        ...(wait !== undefined && { retry_after_ms: wait }),
        ...options.detail,
      },
    });
  const inWords = status === undefined ? "" : ` (status ${status})`;

  switch (kind) {
    case "auth":
      // Never in the provider's own words: some repeat the key, or most of it.
      return failure(
        "PROVIDER_AUTH_FAILED",
        status === 403
          ? `${providerId} does not allow this with this API key. Check the key and its permissions.`
          : `${providerId} did not accept the API key. Check the key in the settings.`,
      );
    case "quota":
      // A budget that is only in use for the moment comes with the time to wait (OpenRouter).
      return failure("PROVIDER_RATE_LIMITED", `The account at ${providerId} has no credit or quota left.${said}`, {
        retryable: status === 402 && headers.has("retry-after"),
        actions: ["open_settings", "switch_model"],
        detail: { quota: true },
      });
    case "rate-limit": {
      const asks = wait === undefined ? "" : ` It asks to wait ${Math.ceil(wait / 1000)} s.`;
      return failure("PROVIDER_RATE_LIMITED", `${providerId} is limiting requests.${asks}`);
    }
    case "over-rate-limit":
      return failure(
        "PROVIDER_RATE_LIMITED",
        `The request is larger than ${providerId} lets this account send in a minute.${said}`,
        { retryable: false, actions: ["switch_model", "open_settings"] },
      );
    case "context":
      return failure("CONTEXT_EXHAUSTED", `The conversation is longer than ${modelId} can read.`);
    case "model":
      return failure(
        "PROVIDER_NOT_CONFIGURED",
        `${providerId} does not know the model ${modelId}, or its address is wrong.${said}`,
      );
    case "content-filter":
      return failure("VALIDATION_FAILED", `${providerId} refused the request for what it says.${said}`, {
        actions: ["switch_model"],
        detail: { content_filter: true },
      });
    case "redirect":
      return failure(
        "PROVIDER_UNAVAILABLE",
        `${providerId} answers with a redirect. Set its final address in the settings.`,
        { retryable: false, actions: ["open_settings"] },
      );
    case "overloaded":
      return failure("PROVIDER_UNAVAILABLE", `${providerId} is overloaded or not ready${inWords}.${said}`);
    case "unavailable":
      return failure("PROVIDER_UNAVAILABLE", `${providerId} could not answer${inWords}.${said}`);
    default:
      return failure("VALIDATION_FAILED", `${providerId} refused the request${inWords}.${said}`, {
        actions: ["switch_model", "open_settings"],
      });
  }
}

/** Servers of OpenAI and Anthropic know whether their own failure passes. */
function retryableBy(headers: Headers): Pick<ErrorOptions, "retryable"> {
  const should = headers.get("x-should-retry");
  return should === "true" || should === "false" ? { retryable: should === "true" } : {};
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

const longestQuote = 300;
const echoLength = 12;
const shortestSecret = 8;

/**
 * The provider's own words as a further sentence, cleaned and bounded. Nothing where they hold the API key, or repeat
 * what was sent: an error is kept and shown in places where a prompt has no business.
 */
function quotable(message: string | undefined, { apiKey, isQuotable = true, messages }: FailureContext): string {
  const text = clean(message ?? "");
  if (!isQuotable || text === "" || (apiKey !== undefined && apiKey !== "" && text.includes(apiKey))) return "";
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
