import { BenchtopError, errorRules, type RunEvent, type RunInit } from "@benchtop/protocol";
import { workspaceOf } from "@benchtop/runs";
import type { Store } from "@benchtop/store";
import type { Log } from "../log/log.ts";
import { version } from "../version.ts";

/** What failed, beside its error. */
export interface FailedCall {
  readonly workspaceId: string;
  readonly operation: string;
}

/** Of these many events the types and times are told. */
const toldEvents = 20;

/** What a person did or forgot, and what is told to them at once: nothing to look at later. */
const notKept: ReadonlySet<string> = new Set([
  "USER_CANCELED",
  "RUN_REPLAYED",
  "NOT_FOUND",
  "AUTH_REQUIRED",
  "PERMISSION_DENIED",
  "RATE_LIMITED",
  "IDEMPOTENCY_CONFLICT",
  "DRAFT_EXISTS",
]);

/**
 * Keeps what went wrong as reports on this machine (S11): which code, where, what came before, on which version. No prompt, no
 * content of a file, no secret: of an error only what Benchtop itself wrote is kept, and of events only their types and times.
 */
export class FailureReports {
  readonly #store: Store;
  readonly #log: Log;

  constructor(parts: { readonly store: Store; readonly log: Log }) {
    this.#store = parts.store;
    this.#log = parts.log;
  }

  /** Keeps how a run failed; the id of the report, or undefined where there is none. Never throws. */
  async ofRun(init: RunInit, error: BenchtopError): Promise<string | undefined> {
    if (notKept.has(error.code)) return undefined;
    const run = { runId: init.runId, kind: init.kind, workbenchId: init.workbenchId ?? null };
    return await this.#keep(error, { workspaceId: workspaceOf(init), operation: null, run });
  }

  /**
   * Keeps how an operation failed for reasons that are not its caller's: those that answer with a status of 500 or more. A run
   * that failed has a report of its own already.
   */
  async ofCall(call: FailedCall, error: BenchtopError): Promise<string | undefined> {
    if (notKept.has(error.code) || error.status < 500 || error.info.detail_ref?.startsWith("fail_")) return undefined;
    return await this.#keep(error, { ...call, run: undefined });
  }

  async #keep(
    error: BenchtopError,
    about: {
      readonly workspaceId: string;
      readonly operation: string | null;
      readonly run: { readonly runId: string; readonly kind: string; readonly workbenchId: string | null } | undefined;
    },
  ): Promise<string | undefined> {
    const { workspaceId, operation, run } = about;
    const { info } = error;
    const { failures } = this.#store;
    const id = failures.newId();
    const runId = run?.runId ?? info.run_id ?? null;
    try {
      await failures.record({
        id,
        workspaceId,
        at: new Date().toISOString(),
        errorCode: error.code,
        phase: info.phase,
        operation,
        runId,
        workbenchId: run?.workbenchId ?? info.workbench_id ?? null,
        report: {
          subphase: info.subphase ?? null,
          message: messageOf(error),
          retryable: info.retryable,
          actions: info.actions,
          runKind: run?.kind ?? null,
          providerId: info.provider_id ?? null,
          modelId: info.model_id ?? null,
          detail: info.detail ?? {},
          stack: error.code === "INTERNAL" ? framesOf(error.cause ?? error) : [],
          lastEvents: runId === null ? [] : await this.#lastEvents(runId),
          version,
          platform: `${process.platform} ${process.arch}, Node ${process.version}`,
        },
      });
      return id;
    } catch (thrown) {
      // A full disk has no room for reports either; what failed is told all the same.
      this.#log.error("failure-not-kept", { code: BenchtopError.from(thrown).code, of: error.code });
      return undefined;
    }
  }

  /** Oldest first. */
  async #lastEvents(runId: string): Promise<{ type: string; at: string }[]> {
    const rows = await this.#store.db
      .selectFrom("run_events")
      .select("body")
      .where("run_id", "=", runId)
      .where("type", "<>", "OutputDelta")
      .orderBy("seq", "desc")
      .limit(toldEvents)
      .execute();
    const events = rows.map(({ body }) => JSON.parse(body) as RunEvent);
    return events.toReversed().map(({ type, at }) => ({ type, at }));
  }
}

/** A provider's own words may repeat what it was sent, so they are not kept; neither are those of libraries. */
function messageOf(error: BenchtopError): string {
  if (errorRules[error.code].category !== "provider") return error.code === "INTERNAL" ? internal : error.message;
  const { provider_id: provider } = error.info;
  return `${provider === undefined ? "The provider" : provider} failed: ${error.code}.`;
}
const internal = "Something went wrong inside Benchtop.";

/** Functions and lines, without messages: those may quote what they were given. */
function framesOf(thrown: unknown): string[] {
  const frames: string[] = [];
  for (let error = thrown; error instanceof Error && frames.length < 60; error = error.cause) {
    frames.push(error.name);
    for (const line of error.stack?.split("\n") ?? []) if (/^\s+at /.test(line)) frames.push(line.trim());
  }
  return frames;
}
