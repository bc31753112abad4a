/**
 * The failure taxonomy. Every failure that a person, a script or a journal can see is one of these codes.
 * The table below is the whole of it: category, retryability, the actions a surface offers, the HTTP status
 * and the exit code of the command line are all read from here.
 */

export const errorActions = [
  "retry",
  "resume",
  "switch_model",
  "open_settings",
  "restore_checkpoint",
  "free_disk_space",
  "view_report",
  "review_draft",
  "discard_draft",
  "grant_consent",
] as const;
export type ErrorAction = (typeof errorActions)[number];

export const phases = ["workbench", "workshop", "review", "publish", "restore", "settings", "run", "job"] as const;
export type Phase = (typeof phases)[number];

/** Who is at fault: the model provider, Benchtop and its caller, or a tool. */
export type ErrorCategory = "provider" | "runtime" | "tool";

interface ErrorRule {
  readonly category: ErrorCategory;
  readonly retryable: boolean;
  readonly actions: readonly ErrorAction[];
  /** HTTP status of a REST response that carries this code. */
  readonly status: number;
}

const rule = (category: ErrorCategory, status: number, retryable: boolean, ...actions: ErrorAction[]): ErrorRule => ({
  category,
  status,
  retryable,
  actions,
});

/** Stable codes. Additions to the list of the requirements carry their reason. */
export const errorRules = {
  EGRESS_CONSENT_REQUIRED: rule("runtime", 403, true, "grant_consent", "switch_model"),
  EGRESS_BLOCKED_BY_POLICY: rule("runtime", 403, false, "open_settings", "switch_model"),
  PROVIDER_NOT_CONFIGURED: rule("provider", 404, false, "open_settings", "switch_model"),
  PROVIDER_AUTH_FAILED: rule("provider", 502, false, "open_settings", "switch_model"),
  PROVIDER_RATE_LIMITED: rule("provider", 429, true, "retry", "switch_model"),
  PROVIDER_UNAVAILABLE: rule("provider", 502, true, "retry", "switch_model"),
  NETWORK_UNAVAILABLE: rule("provider", 502, true, "retry", "open_settings"),
  SANDBOX_VIOLATION: rule("tool", 403, false, "view_report"),
  VALIDATION_FAILED: rule("runtime", 400, false),
  CONTEXT_EXHAUSTED: rule("provider", 413, false, "switch_model"),
  DISK_FULL: rule("runtime", 507, true, "free_disk_space", "retry"),
  FILE_READ_FAILED: rule("runtime", 500, true, "retry", "view_report"),
  FILE_WRITE_FAILED: rule("runtime", 500, true, "retry", "free_disk_space"),
  CHECKPOINT_CREATE_FAILED: rule("runtime", 500, true, "retry", "free_disk_space"),
  CHECKPOINT_RESTORE_FAILED: rule("runtime", 500, true, "retry", "view_report"),
  BUDGET_CAP_REACHED: rule("runtime", 403, false, "open_settings", "view_report"),
  CONFLICT_PUBLISHED_CHANGED: rule("runtime", 409, false, "review_draft", "restore_checkpoint"),
  USER_CANCELED: rule("runtime", 409, true, "retry"),
  /** A Draft gates every change of the files below it. */
  DRAFT_EXISTS: rule("runtime", 409, false, "review_draft", "discard_draft"),
  /** No identity: the token is missing, wrong, expired or revoked. */
  AUTH_REQUIRED: rule("runtime", 401, false, "open_settings"),
  /** An identity without the permission that the operation names. */
  PERMISSION_DENIED: rule("runtime", 403, false, "open_settings"),
  /** An identity, or an address without one, asks more often than it may. `retry_after_ms` says when to come back. */
  RATE_LIMITED: rule("runtime", 429, true, "retry"),
  /** The ledger has this run id already; the attempt is recorded as a row of its own. */
  RUN_REPLAYED: rule("runtime", 409, false, "view_report"),
  /** This `Idempotency-Key` belongs to another request, or its first request is still being served (then retryable). */
  IDEMPOTENCY_CONFLICT: rule("runtime", 409, false),
  /** A named object does not exist (or not for this identity); none of the codes above says so. */
  NOT_FOUND: rule("runtime", 404, false),
  /** The process that executed the run ended before the run did, or another worker took its lease. */
  RUN_INTERRUPTED: rule("runtime", 409, true, "retry", "resume"),
  /** A tool failed or took longer than it may; nothing is known to be wrong with Benchtop or the provider. */
  TOOL_FAILED: rule("tool", 502, true, "retry", "view_report"),
  /** A gate in enforcing mode refused the input, the output, or what a run was about to do. */
  POLICY_DENIED: rule("runtime", 403, false, "open_settings", "view_report"),
  /** Driven again from its journal, a run asked or did something else than is recorded: its program or its input changed. */
  REPLAY_DIVERGED: rule("runtime", 409, false, "view_report"),
  /** A defect of Benchtop itself. The report holds the stack; the message holds no content. */
  INTERNAL: rule("runtime", 500, false, "view_report"),
} as const satisfies Record<string, ErrorRule>;

export type ErrorCode = keyof typeof errorRules;
export const errorCodes = Object.keys(errorRules) as ErrorCode[];

/** What every transport carries beside the message. Field names are the same everywhere. */
export interface ErrorInfo {
  readonly error_code: ErrorCode;
  readonly phase: Phase;
  readonly subphase?: string;
  readonly retryable: boolean;
  readonly actions: readonly ErrorAction[];
  readonly provider_id?: string;
  readonly model_id?: string;
  readonly run_id?: string;
  readonly workbench_id?: string;
  /** Facts that help the next step: a path, a limit, a status, `retry_after_ms`. Never prompts, file content or secrets. */
  readonly detail?: Readonly<Record<string, ErrorDetail>>;
  /** Id of a local report that holds more. */
  readonly detail_ref?: string;
}
export type ErrorDetail = string | number | boolean | null | readonly string[];

export interface ErrorOptions {
  readonly phase?: Phase;
  readonly subphase?: string;
  readonly retryable?: boolean;
  readonly actions?: readonly ErrorAction[];
  readonly providerId?: string;
  readonly modelId?: string;
  readonly runId?: string;
  readonly workbenchId?: string;
  readonly detail?: Readonly<Record<string, ErrorDetail>>;
  readonly detailRef?: string;
  readonly cause?: unknown;
}

const marker = Symbol.for("benchtop.error");

/** The one error class. `message` is for people and never holds prompts, file content or secrets. */
export class BenchtopError extends Error {
  override readonly name = "BenchtopError";
  readonly info: ErrorInfo;
  readonly [marker] = true;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const rules = errorRules[code];
    this.info = {
      error_code: code,
      phase: options.phase ?? "run",
      ...(options.subphase !== undefined && { subphase: options.subphase }),
      retryable: options.retryable ?? rules.retryable,
      actions: options.actions ?? rules.actions,
      ...(options.providerId !== undefined && { provider_id: options.providerId }),
      ...(options.modelId !== undefined && { model_id: options.modelId }),
      ...(options.runId !== undefined && { run_id: options.runId }),
      ...(options.workbenchId !== undefined && { workbench_id: options.workbenchId }),
      ...(options.detail !== undefined && { detail: options.detail }),
      ...(options.detailRef !== undefined && { detail_ref: options.detailRef }),
    };
  }

  get code(): ErrorCode {
    return this.info.error_code;
  }

  get category(): ErrorCategory {
    return errorRules[this.code].category;
  }

  get status(): number {
    return errorRules[this.code].status;
  }

  /** The error that a journal or an answer tells of. */
  static of({ message, ...info }: { readonly message: string } & ErrorInfo): BenchtopError {
    return new BenchtopError(info.error_code, message, {
      phase: info.phase,
      retryable: info.retryable,
      actions: info.actions,
      ...optional("subphase", info.subphase),
      ...optional("providerId", info.provider_id),
      ...optional("modelId", info.model_id),
      ...optional("runId", info.run_id),
      ...optional("workbenchId", info.workbench_id),
      ...optional("detail", info.detail),
      ...optional("detailRef", info.detail_ref),
    });
  }

  /** True for errors of any copy of this package in the process. */
  static is(value: unknown): value is BenchtopError {
    return typeof value === "object" && value !== null && marker in value;
  }

  /**
   * Makes an error of the taxonomy from anything thrown. A full disk is recognised wherever it surfaces
   * (`ENOSPC`, `EDQUOT`, SQLite's "database or disk is full"); an `AbortError` is `USER_CANCELED`; the rest is `fallback`.
   */
  static from(thrown: unknown, fallback: ErrorCode = "INTERNAL", options: ErrorOptions = {}): BenchtopError {
    if (BenchtopError.is(thrown)) return thrown;
    const { code, name, message } = describe(thrown);
    const withCause = { ...options, cause: thrown };
    if (code === "ENOSPC" || code === "EDQUOT" || /database or disk is full/.test(message)) {
      return new BenchtopError("DISK_FULL", "The disk is full.", withCause);
    }
    if (name === "AbortError") return new BenchtopError("USER_CANCELED", "Canceled.", withCause);
    return new BenchtopError(
      fallback,
      fallback === "INTERNAL" ? "Something went wrong inside Benchtop." : message,
      withCause,
    );
  }

  /** The same failure seen from a place that knows more: fills in only what is not set yet. */
  at(
    place: Pick<ErrorOptions, "phase" | "subphase" | "runId" | "workbenchId" | "providerId" | "modelId" | "detailRef">,
  ): BenchtopError {
    return new BenchtopError(this.code, this.message, {
      phase: place.phase ?? this.info.phase,
      ...optional("subphase", this.info.subphase ?? place.subphase),
      retryable: this.info.retryable,
      actions: this.info.actions,
      ...optional("providerId", this.info.provider_id ?? place.providerId),
      ...optional("modelId", this.info.model_id ?? place.modelId),
      ...optional("runId", this.info.run_id ?? place.runId),
      ...optional("workbenchId", this.info.workbench_id ?? place.workbenchId),
      ...optional("detail", this.info.detail),
      ...optional("detailRef", this.info.detail_ref ?? place.detailRef),
      cause: this.cause,
    });
  }
}

/** A failure of a model provider or of the way to it. */
export type ProviderError = BenchtopError & { readonly category: "provider" };
/** A failure of Benchtop, its machine or its caller. */
export type RuntimeError = BenchtopError & { readonly category: "runtime" };
/** A failure of a tool. */
export type ToolError = BenchtopError & { readonly category: "tool" };

export function isProviderError(value: unknown): value is ProviderError {
  return BenchtopError.is(value) && value.category === "provider";
}
export function isRuntimeError(value: unknown): value is RuntimeError {
  return BenchtopError.is(value) && value.category === "runtime";
}
export function isToolError(value: unknown): value is ToolError {
  return BenchtopError.is(value) && value.category === "tool";
}

function describe(thrown: unknown): { code?: string; name?: string; message: string } {
  if (!(thrown instanceof Error)) return { message: "An unknown value was thrown." };
  const code = (thrown as { code?: unknown }).code;
  return { name: thrown.name, message: thrown.message, ...(typeof code === "string" && { code }) };
}

function optional<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, V>);
}
