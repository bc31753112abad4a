import { BenchtopError, type ErrorCode } from "@benchtop/protocol";
import {
  complaintIn,
  complaintInText,
  failureOfFrame,
  failureOfResponse,
  failureOfTransport,
  noComplaint,
  type FailureContext,
} from "../../errors/provider-failure.ts";

/**
 * What a model of the AI SDK threw or reported, as the same failure that an adapter of ours would give: its errors carry the
 * provider's status, headers and body. `started` tells whether the response had begun.
 */
export function failureOfAiSdk(
  thrown: unknown,
  signal: AbortSignal,
  started: boolean,
  context: FailureContext,
): BenchtopError {
  if (signal.aborted || BenchtopError.is(thrown)) return failureOfTransport(thrown, signal, started, context);
  const { providerId, modelId } = context;
  const error = (typeof thrown === "object" && thrown !== null ? thrown : { message: thrown }) as AiSdkError;
  if (typeof error.statusCode === "number" && (error.statusCode < 200 || error.statusCode > 299)) {
    const complaint = complaintInText(typeof error.responseBody === "string" ? error.responseBody : "");
    return failureOfResponse(error.statusCode, new Headers(error.responseHeaders ?? {}), complaint, context);
  }
  const [code, message] = knownErrors[String(error.name)]?.(error, context) ?? [];
  if (code !== undefined) return new BenchtopError(code, message ?? "", { providerId, modelId, cause: thrown });
  if (thrown instanceof Error) return failureOfTransport(error.cause ?? thrown, signal, started, context);
  return failureOfFrame(complaintIn(thrown) ?? complaintIn({ error: thrown }) ?? noComplaint, context);
}

type Meaning = (error: AiSdkError, context: FailureContext) => readonly [ErrorCode, string];

/** The SDK's own words for a feature hold nothing of the request. */
const unsupported: Meaning = ({ functionality }, { providerId, modelId }) => [
  "VALIDATION_FAILED",
  typeof functionality === "string"
    ? `${modelId} of ${providerId} does not take ${functionality.slice(0, 200)}.`
    : `${modelId} of ${providerId} cannot be asked this.`,
];
const malformed: Meaning = (_error, { providerId }) => [
  "PROVIDER_UNAVAILABLE",
  `${providerId} sent something that is not the protocol's JSON.`,
];

const knownErrors: Readonly<Record<string, Meaning | undefined>> = {
  AI_UnsupportedFunctionalityError: unsupported,
  AI_InvalidPromptError: unsupported,
  AI_InvalidArgumentError: unsupported,
  AI_LoadAPIKeyError: (_error, { providerId }) => [
    "PROVIDER_AUTH_FAILED",
    `The AI SDK has no API key for ${providerId}.`,
  ],
  AI_NoSuchModelError: (_error, { providerId, modelId }) => [
    "PROVIDER_NOT_CONFIGURED",
    `${providerId} does not know the model ${modelId}.`,
  ],
  AI_JSONParseError: malformed,
  AI_TypeValidationError: malformed,
  AI_InvalidResponseDataError: malformed,
  AI_EmptyResponseBodyError: malformed,
};

/** The fields of the SDK's errors that are read. They are known by name, because an SDK may be there in several copies. */
interface AiSdkError {
  readonly name?: unknown;
  readonly statusCode?: unknown;
  readonly responseHeaders?: Readonly<Record<string, string>>;
  readonly responseBody?: unknown;
  readonly functionality?: unknown;
  readonly cause?: unknown;
}
