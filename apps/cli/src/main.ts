import { CommanderError } from "commander";
import { exitCodes, reportFailure } from "./failure.ts";
import { Invocation } from "./invocation.ts";
import { createProgram } from "./program.ts";

/** The command line. Sets the exit code and lets the process end by itself, so that output is never cut. */
async function main(): Promise<void> {
  const words = process.argv.slice(2);
  const invocation = new Invocation(asksForJson(words));
  try {
    await createProgram(invocation).parseAsync(words, { from: "user" });
  } catch (error) {
    process.exitCode =
      error instanceof CommanderError
        ? usageExitCode(error, invocation)
        : reportFailure(error, invocation.terminal, invocation.json, invocation.subject);
  }
}

/** `--json` counts wherever it stands, so that wrong usage is reported as JSON too. */
function asksForJson(words: readonly string[]): boolean {
  const end = words.indexOf("--");
  return (end < 0 ? words : words.slice(0, end)).includes("--json");
}

function usageExitCode(error: CommanderError, { json, terminal }: Invocation): number {
  if (error.exitCode === 0) return exitCodes.ok;
  if (json) {
    const message = error.message.replace(/^error: /, "");
    const info = { error_code: "VALIDATION_FAILED", phase: "settings", retryable: false, actions: [] };
    terminal.errorLine(JSON.stringify({ error: { message, ...info } }));
  }
  return exitCodes.usage;
}

await main();
