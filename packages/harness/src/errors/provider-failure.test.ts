import type { ErrorCode } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { complaintIn, complaintInText, failureOfFrame, failureOfResponse, noComplaint } from "./provider-failure.ts";

const context = {
  providerId: "remote",
  modelId: "large",
  apiKey: "sk-0123456789",
  messages: [{ role: "user", content: "What is the launch code?" }] as const,
};

/** What we make of an error. */
interface Outcome {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly detail?: object;
}

const openai = (message: string, code: string | null, type: string) => ({
  error: { message, type, param: null, code },
});
const anthropic = (type: string, message: string, details?: object) => ({
  type: "error",
  error: { type, message, ...(details && { details }) },
  request_id: "req_011CSHoEeqs5C35K2UUqR7Fy",
});
const google = (code: number, status: string, message: string, ...details: object[]) => ({
  error: { code, message, status, ...(details.length > 0 && { details }) },
});
const quotaFailure = (quotaId: string) => ({
  "@type": "type.googleapis.com/google.rpc.QuotaFailure",
  violations: [{ quotaMetric: "generativelanguage.googleapis.com/generate_content_free_tier_requests", quotaId }],
});
const retryInfo = (retryDelay: string) => ({ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay });
const mistral = (message: string, type: string, code: string | null) => {
  return { object: "error", message, type, param: null, code };
};

const exceeded = "You exceeded your current quota, please check your plan and billing details.";
const limited = { code: "PROVIDER_RATE_LIMITED", retryable: true } as const;
const noCredit = { code: "PROVIDER_RATE_LIMITED", retryable: false, detail: { quota: true } } as const;
const tooLong = { code: "CONTEXT_EXHAUSTED", retryable: false } as const;
const noModel = { code: "PROVIDER_NOT_CONFIGURED", retryable: false } as const;
const noAccess = { code: "PROVIDER_AUTH_FAILED", retryable: false } as const;
const passing = { code: "PROVIDER_UNAVAILABLE", retryable: true } as const;
const refused = { code: "VALIDATION_FAILED", retryable: false } as const;
const filtered = { ...refused, detail: { content_filter: true } } as const;

/** Error bodies as the providers document and send them. */
const from = (
  provider: string,
  what: string,
  status: number,
  outcome: Outcome,
  body: unknown,
  response: { readonly headers?: Readonly<Record<string, string>>; readonly waitMs?: number } = {},
) => ({ provider, what, status, body, headers: {}, waitMs: undefined, detail: {}, ...outcome, ...response });

const cases = [
  from(
    "OpenAI",
    "a wrong key",
    401,
    noAccess,
    openai("Incorrect API key provided: sk-01**6789.", "invalid_api_key", "invalid_request_error"),
  ),
  from(
    "OpenAI",
    "an unsupported region",
    403,
    noAccess,
    openai("Country, region, or territory not supported", "unsupported_country_region_territory", "request_forbidden"),
  ),
  from(
    "OpenAI",
    "a model that the project may not use",
    403,
    noModel,
    openai("Project `proj_x` does not have access to model `o3`", "model_not_found", "invalid_request_error"),
  ),
  from(
    "OpenAI",
    "a model that does not exist",
    404,
    noModel,
    openai(
      "The model `gpt-9` does not exist or you do not have access to it.",
      "model_not_found",
      "invalid_request_error",
    ),
  ),
  from(
    "OpenAI",
    "tokens of the minute used up",
    429,
    limited,
    openai("Rate limit reached for gpt-5.2 on tokens per min (TPM): Limit 30000.", "rate_limit_exceeded", "tokens"),
    {
      headers: {
        "x-ratelimit-remaining-requests": "4999",
        "x-ratelimit-reset-requests": "12ms",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "6s",
      },
      waitMs: 6000,
    },
  ),
  from(
    "OpenAI",
    "requests of the day used up",
    429,
    limited,
    openai("Rate limit reached for requests", "rate_limit_exceeded", "requests"),
    {
      headers: { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2h24m30.5s" },
      waitMs: 8_640_000 + 30_500,
    },
  ),
  from(
    "OpenAI",
    "a wait told in words alone",
    429,
    limited,
    openai("Rate limit reached. Please try again in 1m12.5s.", "rate_limit_exceeded", "requests"),
    { waitMs: 72_500 },
  ),
  from(
    "OpenAI",
    "one request above the limit of a minute",
    429,
    { code: "PROVIDER_RATE_LIMITED", retryable: false },
    openai(
      "Request too large for gpt-5.2 on tokens per min (TPM): Limit 30000, Requested 50000. The input or output tokens must be reduced in order to run successfully.",
      "rate_limit_exceeded",
      "tokens",
    ),
  ),
  from("OpenAI", "no credit", 429, noCredit, openai(exceeded, "insufficient_quota", "insufficient_quota")),
  from(
    "OpenAI",
    "a conversation that is too long",
    400,
    tooLong,
    openai("Your input exceeds the context window of this model.", "context_length_exceeded", "invalid_request_error"),
  ),
  from(
    "OpenAI",
    "a prompt against its policy",
    400,
    filtered,
    openai(
      "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
      "invalid_prompt",
      "invalid_request_error",
    ),
  ),
  from(
    "OpenAI",
    "a parameter that it does not know",
    400,
    refused,
    openai("Unknown parameter: 'top_q'.", "unknown_parameter", "invalid_request_error"),
  ),
  from(
    "OpenAI",
    "its own failure",
    500,
    passing,
    openai("The server had an error while processing your request.", null, "server_error"),
  ),
  from(
    "OpenAI",
    "a failure that it says does not pass",
    500,
    { code: "PROVIDER_UNAVAILABLE", retryable: false },
    openai("The server had an error while processing your request.", null, "server_error"),
    { headers: { "x-should-retry": "false" } },
  ),

  from("Azure", "its content filter", 400, filtered, {
    error: {
      message: "The response was filtered.",
      type: null,
      param: "prompt",
      code: "content_filter",
      status: 400,
      innererror: { code: "ResponsibleAIPolicyViolation", content_filter_result: { hate: { filtered: true } } },
    },
  }),
  from(
    "Azure",
    "too many calls",
    429,
    limited,
    { error: { code: "429", message: "Requests have exceeded call rate limit. Please retry after 6 seconds." } },
    { waitMs: 6000 },
  ),
  from("Azure", "a deployment that does not exist", 404, noModel, {
    error: { code: "DeploymentNotFound", message: "The API deployment for this resource does not exist." },
  }),

  from("Anthropic", "a wrong key", 401, noAccess, anthropic("authentication_error", "invalid x-api-key")),
  from(
    "Anthropic",
    "a key without permission",
    403,
    noAccess,
    anthropic("permission_error", "Your API key does not have permission to use the specified resource."),
  ),
  from("Anthropic", "a model that does not exist", 404, noModel, anthropic("not_found_error", "model: claude-0")),
  from(
    "Anthropic",
    "a rate limit",
    429,
    limited,
    anthropic("rate_limit_error", "This request would exceed your organization’s rate limit."),
    { headers: { "retry-after": "12", "anthropic-ratelimit-requests-remaining": "0" }, waitMs: 12_000 },
  ),
  from(
    "Anthropic",
    "a spend limit behind a rate limit's name",
    429,
    noCredit,
    anthropic("rate_limit_error", "You have reached your spend limit.", {
      error_code: "enforced_spend_limit_reached",
    }),
  ),
  from(
    "Anthropic",
    "a spend limit behind a bad request's name",
    400,
    noCredit,
    anthropic("invalid_request_error", "You have reached your specified API usage limits."),
  ),
  from(
    "Anthropic",
    "no credit",
    400,
    noCredit,
    anthropic("invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
  ),
  from(
    "Anthropic",
    "a billing problem",
    402,
    noCredit,
    anthropic("billing_error", "There is an issue with your billing."),
  ),
  from(
    "Anthropic",
    "a conversation that is too long",
    400,
    tooLong,
    anthropic("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
  ),
  from(
    "Anthropic",
    "a conversation that leaves too little room",
    400,
    tooLong,
    anthropic("invalid_request_error", "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"),
  ),
  from(
    "Anthropic",
    "a request of too many bytes",
    413,
    tooLong,
    anthropic("request_too_large", "Request exceeds the maximum size"),
  ),
  from(
    "Anthropic",
    "a bad request",
    400,
    refused,
    anthropic("invalid_request_error", "messages.0.content: text content blocks must be non-empty"),
  ),
  from("Anthropic", "overload", 529, passing, anthropic("overloaded_error", "Overloaded")),
  from("Anthropic", "its own failure", 500, passing, anthropic("api_error", "Internal server error")),
  from("Anthropic", "a timeout", 504, passing, anthropic("timeout_error", "Request timed out")),

  from(
    "Google",
    "a wrong key",
    400,
    noAccess,
    google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", {
      "@type": "type.googleapis.com/google.rpc.ErrorInfo",
      reason: "API_KEY_INVALID",
      domain: "googleapis.com",
    }),
  ),
  from(
    "Google",
    "requests of the minute used up",
    429,
    limited,
    google(
      429,
      "RESOURCE_EXHAUSTED",
      exceeded,
      quotaFailure("GenerateRequestsPerMinutePerProjectPerModel-FreeTier"),
      retryInfo("34.074s"),
    ),
    { waitMs: 34_074 },
  ),
  from(
    "Google",
    "requests of the day used up",
    429,
    noCredit,
    google(
      429,
      "RESOURCE_EXHAUSTED",
      exceeded,
      quotaFailure("GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
      retryInfo("34s"),
    ),
    { waitMs: 34_000 },
  ),
  from(
    "Google, compatible",
    "a limit, in an array",
    429,
    limited,
    [google(429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later.", retryInfo("5s"))],
    { waitMs: 5000 },
  ),
  from(
    "Google",
    "overload",
    503,
    passing,
    google(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
  ),
  from(
    "Google",
    "no capacity behind a quota's name",
    429,
    passing,
    google(429, "RESOURCE_EXHAUSTED", "No capacity available for model", { reason: "MODEL_CAPACITY_EXHAUSTED" }),
  ),
  from(
    "Google",
    "a model that does not exist",
    404,
    noModel,
    google(404, "NOT_FOUND", "models/gemini-0 is not found for API version v1beta"),
  ),
  from(
    "Google",
    "a conversation that is too long",
    400,
    tooLong,
    google(
      400,
      "INVALID_ARGUMENT",
      "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).",
    ),
  ),

  from("Mistral", "a wrong key", 401, noAccess, { detail: "Unauthorized" }),
  from("Mistral", "a rate limit", 429, limited, mistral("Rate limit exceeded", "rate_limited", "1300")),
  from(
    "Mistral",
    "overload",
    429,
    passing,
    mistral("Service tier capacity exceeded for this model.", "invalid_request_error", null),
  ),
  from(
    "Mistral",
    "a model that does not exist",
    400,
    noModel,
    mistral("Invalid model: mistral-enormous", "invalid_model", "1500"),
  ),
  from(
    "Mistral",
    "a conversation that is too long",
    400,
    tooLong,
    mistral(
      "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
      "invalid_request_error",
      "3051",
    ),
  ),
  from("Mistral", "a field that it does not take", 422, refused, {
    detail: [{ type: "extra_forbidden", loc: ["body", "seed"], msg: "Extra inputs are not permitted" }],
  }),

  from("Ollama", "a model that is not pulled", 404, noModel, { error: "model 'llama9' not found" }),
  from(
    "Ollama",
    "a model without tools",
    400,
    refused,
    openai("registry.ollama.ai/library/gemma:2b does not support tools", null, "api_error"),
  ),
  from("Ollama", "too many waiting requests", 503, passing, {
    error: "server busy, please try again.  maximum pending requests exceeded",
  }),
  from("Ollama", "too little memory", 500, passing, {
    error: "model requires more system memory (8.4 GiB) than is available (5.6 GiB)",
  }),

  from(
    "vLLM",
    "a conversation that is too long",
    400,
    tooLong,
    openai(
      "You passed 1015 input tokens and requested 10 output tokens. However, the model's context length is only 1024 tokens.",
      "400",
      "BadRequestError",
    ),
  ),
  from("vLLM, older", "a conversation that is too long", 400, tooLong, {
    object: "error",
    type: "BadRequestError",
    param: null,
    code: 400,
    message: "This model's maximum context length is 4096 tokens. However, you requested 6616 tokens.",
  }),
  from("vLLM", "a model that is not served", 404, noModel, {
    error: { message: "The model `x` does not exist.", type: "NotFoundError", param: "model", code: 404 },
  }),
  from("vLLM", "a missing key", 401, noAccess, { error: "Unauthorized" }),

  from("llama-server", "a conversation that is too long", 400, tooLong, {
    error: {
      code: 400,
      type: "exceed_context_size_error",
      n_prompt_tokens: 14_429,
      n_ctx: 8192,
      message: "the request exceeds the available context size. try increasing the context size",
    },
  }),
  from("llama-server", "a model that is still loading", 503, passing, {
    error: { code: 503, message: "Loading model", type: "unavailable_error" },
  }),
  from("llama-server", "a wrong key", 401, noAccess, {
    error: { code: 401, message: "Invalid API Key", type: "authentication_error" },
  }),

  from("OpenRouter", "no credit", 402, noCredit, {
    error: { code: 402, message: "Insufficient credits. Add more using https://openrouter.ai/credits" },
  }),
  from(
    "OpenRouter",
    "a budget in use for the moment",
    402,
    { code: "PROVIDER_RATE_LIMITED", retryable: true, detail: { quota: true } },
    { error: { code: 402, message: "In flight", metadata: { limit_source: "openrouter_in_flight_budget" } } },
    { headers: { "retry-after": "3" }, waitMs: 3000 },
  ),
  from("OpenRouter", "moderation", 403, filtered, {
    error: { code: 403, message: "Input refused", metadata: { reasons: ["violence"], flagged_input: "What is…" } },
  }),
  from("OpenRouter", "a name that is no model", 400, noModel, {
    error: { code: 400, message: "foo/bar is not a valid model ID" },
  }),
  from("OpenRouter", "no provider behind it", 502, passing, {
    error: { code: 502, message: "Provider returned error", metadata: { provider_name: "Acme", raw: "?" } },
  }),
  from("a proxy", "a page of HTML", 502, passing, undefined),
];

describe("H4 errors of providers, as they send them", () => {
  test.for(cases)("$provider: $what", ({ status, headers, body, code, retryable, waitMs, detail }) => {
    const complaint = body === undefined ? complaintInText("<html>") : complaintInText(JSON.stringify(body));
    const { info, message } = failureOfResponse(status, new Headers(headers), complaint, context);
    expect([info.error_code, info.retryable]).toEqual([code, retryable]);
    expect(info).toMatchObject({ provider_id: "remote", model_id: "large", detail: { status, ...detail } });
    expect(info.detail?.["retry_after_ms"]).toBe(waitMs);
    expect(message).not.toMatch(/What is|sk-01/);
  });

  test.each([
    [anthropic("overloaded_error", "Overloaded"), "PROVIDER_UNAVAILABLE", true],
    [anthropic("rate_limit_error", "Slow down"), "PROVIDER_RATE_LIMITED", true],
    [anthropic("invalid_request_error", "prompt is too long: 3 tokens > 2 maximum"), "CONTEXT_EXHAUSTED", false],
    [openai("The server had an error", "server_error", "server_error"), "PROVIDER_UNAVAILABLE", true],
    [openai("Bad image", "image_parse_error", "invalid_request_error"), "VALIDATION_FAILED", false],
    [{ error: { code: 502, message: "Provider disconnected" } }, "PROVIDER_UNAVAILABLE", true],
    [{ error: { code: 429, message: "Slow down" } }, "PROVIDER_RATE_LIMITED", true],
  ])("inside a stream, %j is %s", (body, code, retryable) => {
    const { info } = failureOfFrame(complaintIn(body) ?? noComplaint, context);
    expect([info.error_code, info.retryable]).toEqual([code, retryable]);
    expect(info.detail).not.toHaveProperty("status");
  });

  test.each([
    [{ "retry-after-ms": "250", "retry-after": "1" }, 250],
    [{ "retry-after": "1.5" }, 1500],
    [{ "retry-after": "999999999" }, 86_400_000],
    [{ "retry-after": "Wed, 21 Oct 2015 07:28:00 GMT" }, 0],
    [{ "retry-after": "soon" }, undefined],
    [{ "x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "9s" }, undefined],
  ])("the wait that %j asks for is %s ms", (headers, waitMs) => {
    const { info } = failureOfResponse(429, new Headers(headers), noComplaint, context);
    expect(info.detail?.["retry_after_ms"]).toBe(waitMs);
  });

  test("the provider's own name of the error is told, unless it is no name", () => {
    expect(detailOf("image_too_large")).toMatchObject({ provider_code: "image_too_large" });
    for (const name of ["What is the launch code?", context.apiKey, "x".repeat(100)]) {
      expect(detailOf(name)).not.toHaveProperty("provider_code");
    }
  });
});

function detailOf(code: string) {
  const complaint = complaintIn(openai("no", code, "")) ?? noComplaint;
  return failureOfResponse(400, new Headers(), complaint, context).info.detail;
}
