import type { Decision, EventOf, RunEvent } from "@benchtop/protocol";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { Invocation } from "./invocation.ts";
import { exitCodes } from "./failure.ts";
import { RunPrinter } from "./output/events.ts";
import { printable } from "./output/format.ts";
import { startProgress } from "./output/progress.ts";

export interface ShowOptions {
  readonly after?: number;
  /** The run gives data: it is printed instead of the model's text. */
  readonly resultOnly?: boolean;
  /** Said on a terminal while nothing has come yet: a model may have to be loaded first. */
  readonly waiting?: string;
}

/**
 * Prints a run from after an event on until it ends, or until it waits for a decision that nobody here can be asked for: then
 * how to decide is said, and the exit code. Throws the error that it ended with.
 */
export async function showRun(
  invocation: Invocation,
  runId: string,
  { after = -1, resultOnly = false, waiting }: ShowOptions = {},
): Promise<void> {
  const printer = new RunPrinter(invocation.terminal, { resultOnly });
  let progress = waiting === undefined ? undefined : startProgress(invocation.terminal, waiting);
  const stopWaiting = (): void => {
    progress?.end();
    progress = undefined;
  };
  const show = (event: RunEvent): void => {
    if (!saysNothing.has(event.type)) stopWaiting();
    if (invocation.json) invocation.printJson(event);
    else printer.print(event);
  };
  const last = await follow(invocation, runId, after, decided, show).finally(stopWaiting);
  if (last.type === "Error") throw errorOf(last);
  if (last.type !== "Suspended") return;
  process.exitCode = exitCodes.waiting;
  const [yes, no] = choicesFor[last.reason];
  invocation.terminal.errorLine(
    invocation.json
      ? JSON.stringify({ waiting: { runId, callId: last.callId, reason: last.reason } })
      : `The run waits for your decision: \`benchtop runs resume ${runId} --${yes}\` or \`--${no}\`.`,
  );
}

/** Events that begin an answer without showing anything of it. */
const saysNothing: ReadonlySet<RunEvent["type"]> = new Set([
  "RunStarted",
  "ContextAssembled",
  "StepStarted",
  "GateDecided",
  "ProviderCallStarted",
]);

const choicesFor = {
  approval: ["approve", "deny"],
  question: ["approve", "deny"],
  "outcome-unknown": ["retry", "skip"],
} as const satisfies Record<EventOf<"Suspended">["reason"], readonly Decision[]>;

type LastEvent = EventOf<"Completed"> | EventOf<"Error"> | EventOf<"Suspended">;

/** Follows a run that waits for nobody to its terminal event, and hands each committed event on. */
export async function followToEnd(
  invocation: Invocation,
  runId: string,
  show: (event: RunEvent) => void,
): Promise<EventOf<"Completed"> | EventOf<"Error">> {
  const last = await follow(invocation, runId, -1, () => Promise.resolve(true), show);
  if (last.type !== "Suspended") return last;
  throw new BenchtopError("INTERNAL", "A run waits where none can.", { runId });
}

/**
 * Follows a run and hands each committed event on. The first Ctrl-C aborts the run through the API and waits for its last
 * event; the second leaves at once. Returns the terminal event, or the question that nobody answered.
 */
async function follow(
  invocation: Invocation,
  runId: string,
  after: number,
  decide: (invocation: Invocation, suspended: EventOf<"Suspended">) => Promise<boolean>,
  show: (event: RunEvent) => void,
): Promise<LastEvent> {
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
    const following = { after, signal: aborting.signal, giveUpAfterMs: 15_000, onConnection };
    for await (const event of client.follow(runId, following)) {
      show(event);
      if (event.type === "Completed" || event.type === "Error") return event;
      if (event.type === "Suspended" && !(await decide(invocation, event))) return event;
    }
  } finally {
    release();
  }
  if (failedToAbort !== undefined) throw failedToAbort;
  throw new BenchtopError("RUN_INTERRUPTED", "The daemon closed the stream before the run ended.", { runId });
}

/** False when nobody has decided, and nobody here does. What was decided before, or elsewhere, is no question any more. */
async function decided(
  invocation: Invocation,
  { runId, callId, reason, tool, question }: EventOf<"Suspended">,
): Promise<boolean> {
  const client = await invocation.client();
  const { suspension } = await client.call("runs.get", { runId });
  if (suspension?.callId !== callId) return true;
  const { terminal } = invocation;
  if (!terminal.isInteractive) return false;
  const [yes, no] = choicesFor[reason];
  terminal.errorLine(`${terminal.errorColours.yellow("?")} ${printable(question)}`);
  terminal.errorLine(
    terminal.errorColours.dim(`  ${tool} ${printable(JSON.stringify(suspension.arguments)).slice(0, 400)}`),
  );
  const answer = await terminal.choose(
    `  [${yes[0]}]${yes.slice(1)}, [${no[0]}]${no.slice(1)}, or [l]ater?`,
    `${yes[0]}${no[0]}l`,
  );
  if (answer !== yes[0] && answer !== no[0]) return false;
  await client.call("runs.resume", { runId, decision: answer === yes[0] ? yes : no });
  return true;
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
