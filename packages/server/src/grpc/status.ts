import type { DescMessage } from "@bufbuild/protobuf";
import type { BenchtopError, ErrorCode } from "@benchtop/protocol";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorOf } from "../api/failure.ts";
import { Refusal } from "../api/refusal.ts";
import type { Codec } from "./codec.ts";

/** The status of gRPC for each code; docs/grpc.md has the table. */
const statusByCode: Readonly<Record<ErrorCode, Code>> = {
  EGRESS_CONSENT_REQUIRED: Code.FailedPrecondition,
  EGRESS_BLOCKED_BY_POLICY: Code.PermissionDenied,
  PROVIDER_NOT_CONFIGURED: Code.FailedPrecondition,
  PROVIDER_AUTH_FAILED: Code.FailedPrecondition,
  PROVIDER_RATE_LIMITED: Code.ResourceExhausted,
  PROVIDER_UNAVAILABLE: Code.Unavailable,
  NETWORK_UNAVAILABLE: Code.Unavailable,
  SANDBOX_VIOLATION: Code.PermissionDenied,
  VALIDATION_FAILED: Code.InvalidArgument,
  CONTEXT_EXHAUSTED: Code.ResourceExhausted,
  DISK_FULL: Code.ResourceExhausted,
  FILE_READ_FAILED: Code.Internal,
  FILE_WRITE_FAILED: Code.Internal,
  CHECKPOINT_CREATE_FAILED: Code.Internal,
  CHECKPOINT_RESTORE_FAILED: Code.Internal,
  BUDGET_CAP_REACHED: Code.ResourceExhausted,
  CONFLICT_PUBLISHED_CHANGED: Code.Aborted,
  USER_CANCELED: Code.Canceled,
  DRAFT_EXISTS: Code.FailedPrecondition,
  AUTH_REQUIRED: Code.Unauthenticated,
  PERMISSION_DENIED: Code.PermissionDenied,
  RATE_LIMITED: Code.ResourceExhausted,
  RUN_REPLAYED: Code.AlreadyExists,
  IDEMPOTENCY_CONFLICT: Code.Aborted,
  NOT_FOUND: Code.NotFound,
  RUN_INTERRUPTED: Code.Aborted,
  TOOL_FAILED: Code.Unknown,
  POLICY_DENIED: Code.PermissionDenied,
  REPLAY_DIVERGED: Code.FailedPrecondition,
  INTERNAL: Code.Internal,
};

export function statusOf(code: ErrorCode): Code {
  return statusByCode[code];
}

/** A failure as gRPC tells it: the status, the message, and a `benchtop.v1.ErrorInfo` among the details. */
export function toConnectError(
  failure: BenchtopError | Refusal,
  info: { descriptor: DescMessage; codec: Codec },
): ConnectError {
  const error = errorOf(failure);
  const retryAfterMs = error.info.detail?.["retry_after_ms"];
  const headers = typeof retryAfterMs === "number" ? { "retry-after": String(Math.ceil(retryAfterMs / 1000)) } : {};
  const details = [{ desc: info.descriptor, value: info.codec.encode(error.info) }];
  return new ConnectError(error.message, statusOfFailure(failure), headers, details);
}

/** Where HTTP has a better word than the taxonomy, so has gRPC. */
function statusOfFailure(failure: BenchtopError | Refusal): Code {
  if (failure instanceof Refusal) {
    if (failure.status === 408) return Code.DeadlineExceeded;
    if (failure.status === 413) return Code.ResourceExhausted;
    if (failure.status === 503) return Code.Unavailable;
  }
  return statusOf(errorOf(failure).code);
}
