import type { ProviderComplaint } from "./provider-failure-body.ts";

/** What a provider's refusal means for whoever asked. */
export type FailureKind =
  | "auth"
  | "quota"
  | "rate-limit"
  /** One request is more than a minute may hold: waiting does not help. */
  | "over-rate-limit"
  | "context"
  | "model"
  | "content-filter"
  | "overloaded"
  | "unavailable"
  | "redirect"
  | "invalid";

/**
 * A provider's own names say most, then its words, then the status: a 403 may be about the model, a 429 about the bill and a
 * 400 about the length of the conversation. `status` is undefined for an error that came inside a stream.
 */
export function failureKind(status: number | undefined, complaint: ProviderComplaint): FailureKind {
  if (complaint.isDaily === true) return "quota";
  const named = complaint.names.map((name) => kindsByName[name]).find((kind) => kind !== undefined);
  const words = (complaint.message ?? "").slice(0, longestReading);
  if (named === "rate-limit" && /request too large|must be reduced/i.test(words)) return "over-rate-limit";
  if (named) return named;
  const spoken =
    status === undefined || status < 500 ? kindsByWords.find(([pattern]) => pattern.test(words))?.[1] : undefined;
  return spoken ?? kindByStatus(status ?? statusInside(complaint));
}

const longestReading = 2000;

/** Names that mean one thing wherever they are used. Those that servers use for everything (`server_error`) are not here. */
const kindsByName: Readonly<Record<string, FailureKind | undefined>> = {
  invalid_api_key: "auth",
  authentication_error: "auth",
  permission_error: "auth",
  account_deactivated: "auth",
  organization_on_hold: "auth",
  unsupported_country_region_territory: "auth",
  API_KEY_INVALID: "auth",
  UNAUTHENTICATED: "auth",
  PERMISSION_DENIED: "auth",

  insufficient_quota: "quota",
  billing_error: "quota",
  billing_not_active: "quota",
  billing_hard_limit_reached: "quota",
  enforced_spend_limit_reached: "quota",
  contract_spend_limit_reached: "quota",
  linked_organization_spend_limit_reached: "quota",
  linked_organization_billing_unavailable: "quota",

  MODEL_CAPACITY_EXHAUSTED: "overloaded",
  service_tier_capacity_exceeded: "overloaded",
  overloaded_error: "overloaded",
  unavailable_error: "overloaded",
  UNAVAILABLE: "overloaded",

  rate_limit_exceeded: "rate-limit",
  rate_limit_error: "rate-limit",
  rate_limited: "rate-limit",
  RateLimitReached: "rate-limit",
  RESOURCE_EXHAUSTED: "rate-limit",

  context_length_exceeded: "context",
  exceed_context_size_error: "context",
  request_too_large: "context",

  model_not_found: "model",
  invalid_model: "model",
  not_found_error: "model",
  DeploymentNotFound: "model",
  NotFoundError: "model",
  NOT_FOUND: "model",

  content_filter: "content-filter",
  content_policy_violation: "content-filter",
  ResponsibleAIPolicyViolation: "content-filter",
  bio_policy: "content-filter",
};

/** Words of servers that name an error by nothing better than `invalid_request_error`, or not at all. */
const kindsByWords: readonly (readonly [RegExp, FailureKind])[] = [
  [
    new RegExp(
      "context (length|window|size)|maximum context|prompt( is)? too long|too many tokens|" +
        "input token count.{0,40}exceeds|exceed context limit|maximum (prompt|input) length|exceeded model token limit|" +
        "reduce the length of the (messages|input|prompt)",
      "i",
    ),
    "context",
  ],
  [
    /credit balance is too low|insufficient (credits|balance|funds|quota)|spend(ing)? limit|specified api usage limits|used all available credits/i,
    "quota",
  ],
  [/api key (is )?(not valid|invalid)|(invalid|incorrect) api key/i, "auth"],
  [
    /\bflagged\b|content (management )?(filter|policy)|usage polic(y|ies)|prohibited content|blocked by .{0,30}safety/i,
    "content-filter",
  ],
  [
    new RegExp(
      "model.{0,120}(not found|does not exist|is not available|is not a valid model)|invalid model\\b|" +
        "not a valid model|no endpoints found|unknown model",
      "i",
    ),
    "model",
  ],
  [/\boverloaded\b|server busy|capacity exceeded|no capacity available/i, "overloaded"],
];

function kindByStatus(status: number): FailureKind {
  if (status === 401 || status === 403) return "auth";
  if (status === 402) return "quota";
  if (status === 404) return "model";
  if (status === 413) return "context";
  if (status === 429) return "rate-limit";
  if (status === 529) return "overloaded";
  if (status >= 300 && status < 400) return "redirect";
  if (status >= 500 || status === 408 || status === 409 || status === 425) return "unavailable";
  return "invalid";
}

/** The status that an error inside a stream would have had. */
function statusInside({ names }: ProviderComplaint): number {
  const number = names.map(Number).find((code) => Number.isInteger(code) && code >= 400 && code < 600);
  if (number !== undefined) return number;
  return names.some((name) => /^(invalid_|unsupported_|image_|BadRequest|INVALID_ARGUMENT)/.test(name)) ? 400 : 500;
}
