import { BenchtopError, type EventOf, type RunEvent } from "@benchtop/protocol";
import type { Invocation } from "./invocation.ts";
import { exitCodes } from "./failure.ts";

/**
 * Follows a run to its end and hands each committed event on. The first Ctrl-C aborts the run through the API and waits
 * for its last event; the second leaves at once. Returns the terminal event.
 */
export async function followToEnd(
  invocation: Invocation,
  runId: string,
  show: (event: RunEvent) => void,
): Promise<EventOf<"Completed"> | EventOf<"Error">> {
  const { terminal } = invocation;
  const client = await invocation.client();
  invocation.about({ runId });
  const aborting = new AbortController();
  let failedToAbort: unknown;
  const release = onInterrupt(() => {
    if (!invocation.json)
      terminal.errorLine(terminal.errorColours.dim("\nStopping the run; Ctrl-C again leaves at once."));
    client.call("runs.abort", { runId, reason: "Ctrl-C" }).catch((error: unknown) => {
      failedToAbort = error;
      aborting.abort();
    });
  });
  const onConnection = (connected: boolean): void => {
    if (invocation.json) return;
    terminal.errorLine(terminal.errorColours.dim(connected ? "Connected again." : "Connection lost; trying again."));
  };
  try {
    for await (const event of client.follow(runId, { signal: aborting.signal, giveUpAfterMs: 15_000, onConnection })) {
      show(event);
      if (event.type === "Completed" || event.type === "Error") return event;
    }
  } finally {
    release();
  }
  if (failedToAbort !== undefined) throw failedToAbort;
  throw new BenchtopError("RUN_INTERRUPTED", "The daemon closed the stream before the run ended.", { runId });
}

/** The error that a run ended with, as it was thrown there. */
export function errorOf(event: EventOf<"Error">): BenchtopError {
  const { message, error_code: code, ...info } = event.error;
  return new BenchtopError(code, message, {
    phase: info.phase,
    retryable: info.retryable,
    actions: info.actions,
    runId: event.runId,
    ...(info.subphase !== undefined && { subphase: info.subphase }),
    ...(info.provider_id !== undefined && { providerId: info.provider_id }),
    ...(info.model_id !== undefined && { modelId: info.model_id }),
    ...(info.detail !== undefined && { detail: info.detail }),
    ...(info.detail_ref !== undefined && { detailRef: info.detail_ref }),
  });
}

/** Calls back at the first SIGINT or SIGTERM and leaves at the next. Both ways of delivering one Ctrl-C count once. */
function onInterrupt(first: () => void): () => void {
  let askedAt: number | undefined;
  const onSignal = (): void => {
    if (askedAt === undefined) {
      askedAt = performance.now();
      first();
    } else if (performance.now() - askedAt > 500) process.exit(exitCodes.interrupted);
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return () => {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  };
}
