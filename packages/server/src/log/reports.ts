import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Facts that place an unexpected failure: ids and names, never content. */
export type ReportContext = Readonly<Record<string, string | undefined>>;

/**
 * Keeps an unexpected failure as `$BENCHTOP_HOME/reports/<id>.json` and returns the id (`detail_ref` of the answer).
 * It holds names, codes and stack frames. Messages are kept only where they come from the engine or the operating
 * system: others (a JSON parser's, a database's) may quote what they were given.
 */
export async function writeReport(home: string, thrown: unknown, context: ReportContext): Promise<string> {
  const id = `rpt_${Date.now().toString(36)}${randomBytes(5).toString("hex")}`;
  const folder = join(home, "reports");
  const report = { id, at: new Date().toISOString(), version: process.version, ...context, error: describe(thrown) };
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, `${id}.json`), `${JSON.stringify(report, null, 2)}\n`, { mode: 0o600, flag: "wx" });
  return id;
}

interface Description {
  readonly name: string;
  readonly code?: string;
  readonly message?: string;
  readonly stack?: readonly string[];
  readonly cause?: Description;
}

function describe(thrown: unknown, depth = 0): Description {
  if (!(thrown instanceof Error)) return { name: typeof thrown };
  const { code } = thrown as { code?: unknown };
  const stack = thrown.stack?.split("\n").filter((line) => /^\s+at /.test(line));
  return {
    name: thrown.name,
    ...(typeof code === "string" && { code }),
    ...(isEngineMessage(thrown) && { message: thrown.message }),
    ...(stack !== undefined && { stack: stack.map((line) => line.trim()) }),
    ...(thrown.cause !== undefined && depth < 5 && { cause: describe(thrown.cause, depth + 1) }),
  };
}

function isEngineMessage(error: Error): boolean {
  if (error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError) return true;
  const { code } = error as { code?: unknown };
  return typeof code === "string" && /^E[A-Z_]+$/.test(code);
}
