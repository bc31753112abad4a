import { BenchtopError, type ErrorCode } from "@benchtop/protocol/errors";
import { nextSteps, type Subject } from "./next-steps.ts";
import { printableText } from "./output/format.ts";
import type { Terminal } from "./output/terminal.ts";

/** What scripts can rely on. */
export const exitCodes = {
  ok: 0,
  runtime: 1,
  usage: 2,
  provider: 3,
  tool: 4,
  permission: 5,
  consent: 6,
  waiting: 7,
  interrupted: 130,
} as const;

export const exitCodeHelp: readonly (readonly [number, string])[] = [
  [exitCodes.ok, "done; a run ended with Completed"],
  [
    exitCodes.runtime,
    "Benchtop could not do it: not found, conflict, disk full, budget reached, …; an evaluation missed a threshold",
  ],
  [exitCodes.usage, "wrong usage, or input that was refused"],
  [
    exitCodes.provider,
    "the model or its provider failed: key, rate limit, network, unknown model; an answer that is not of the schema asked for",
  ],
  [exitCodes.tool, "a tool or path was refused (SANDBOX_VIOLATION)"],
  [exitCodes.permission, "no identity, or one without the permission"],
  [exitCodes.consent, "consent is missing, or the egress policy refused; nothing was sent"],
  [exitCodes.waiting, "the run waits for a person's decision"],
  [exitCodes.interrupted, "interrupted: Ctrl-C, or the run was aborted"],
];

const byCode: Partial<Record<ErrorCode, number>> = {
  VALIDATION_FAILED: exitCodes.usage,
  AUTH_REQUIRED: exitCodes.permission,
  PERMISSION_DENIED: exitCodes.permission,
  EGRESS_CONSENT_REQUIRED: exitCodes.consent,
  EGRESS_BLOCKED_BY_POLICY: exitCodes.consent,
  USER_CANCELED: exitCodes.interrupted,
};

export function exitCodeOf(error: BenchtopError): number {
  // The input was right; it is the model that could not give the output.
  if (error.code === "VALIDATION_FAILED" && error.info.subphase === "output") return exitCodes.provider;
  return byCode[error.code] ?? exitCodes[error.category];
}

/** Says what happened in one line and what to type next; with `--json`, the same as one JSON line. Returns the exit code. */
export function reportFailure(thrown: unknown, terminal: Terminal, json: boolean, subject: Subject): number {
  const error = BenchtopError.from(thrown);
  if (json) {
    terminal.errorLine(JSON.stringify({ error: { message: error.message, ...error.info } }));
    return exitCodeOf(error);
  }
  const { red, dim } = terminal.errorColours;
  // What a daemon elsewhere says, and names in it, must not steer this terminal.
  terminal.errorLine(`${red("✗")} ${printableText(error.message)} ${dim(`[${error.code}]`)}`);
  for (const step of nextSteps(error, subject)) terminal.errorLine(`  → ${printableText(step)}`);
  if (error.code === "INTERNAL" && process.env["BENCHTOP_DEBUG"] !== undefined) terminal.errorLine(stackOf(thrown));
  return exitCodeOf(error);
}

function stackOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}
