import assert from "node:assert/strict";
import type { BenchtopError, ErrorCode } from "@benchtop/protocol";

/** Which code of the taxonomy each refusal of a provider becomes. */
export const statusCases: readonly {
  readonly status: number;
  readonly code: ErrorCode;
  readonly headers?: Readonly<Record<string, string>>;
  /** The provider's own code of the error. */
  readonly body?: string;
  readonly check?: (error: BenchtopError) => void;
}[] = [
  { status: 400, code: "VALIDATION_FAILED", check: ({ info }) => assert.notEqual(info.actions.length, 0) },
  { status: 400, code: "CONTEXT_EXHAUSTED", body: "context_length_exceeded" },
  { status: 401, code: "PROVIDER_AUTH_FAILED" },
  { status: 403, code: "PROVIDER_AUTH_FAILED" },
  { status: 404, code: "PROVIDER_NOT_CONFIGURED", body: "model_not_found" },
  { status: 413, code: "CONTEXT_EXHAUSTED" },
  { status: 422, code: "VALIDATION_FAILED" },
  {
    status: 429,
    code: "PROVIDER_RATE_LIMITED",
    headers: { "retry-after": "7" },
    check: ({ info }) => assert.deepEqual([info.detail?.["retry_after_ms"], info.retryable], [7000, true]),
  },
  {
    status: 429,
    code: "PROVIDER_RATE_LIMITED",
    headers: { "retry-after": new Date(Date.now() + 3_600_000).toUTCString() },
    check: ({ info }) => assert.equal(Math.abs(Number(info.detail?.["retry_after_ms"]) - 3_600_000) < 120_000, true),
  },
  {
    status: 429,
    code: "PROVIDER_RATE_LIMITED",
    body: "insufficient_quota",
    check: ({ info }) => assert.equal(info.retryable, false),
  },
  { status: 500, code: "PROVIDER_UNAVAILABLE", check: ({ info }) => assert.equal(info.retryable, true) },
  { status: 503, code: "PROVIDER_UNAVAILABLE", headers: { "retry-after": "1" } },
];
