import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { BenchtopError, EvalCase, evalLimits } from "@benchtop/protocol";

/** A case and the line that it stands on. */
export interface DatasetCase {
  readonly line: number;
  readonly case: EvalCase;
}

/**
 * Reads a JSONL file case by case, without holding it in memory. Empty lines are passed over; a case without `id` is called
 * after its line. Throws `VALIDATION_FAILED` that names file, line and field, `FILE_READ_FAILED` when it cannot be read.
 */
export async function* readDataset(path: string): AsyncGenerator<DatasetCase> {
  const file = basename(path);
  let count = 0;
  for await (const { number, text } of linesOf(path)) {
    if (text.trim() === "") continue;
    count += 1;
    if (count > evalLimits.maxCases) throw atLine(file, number, `There are more than ${evalLimits.maxCases} cases.`);
    yield { line: number, case: parseLine(file, number, text) };
  }
}

function parseLine(file: string, line: number, text: string): EvalCase {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the file, so it is not passed on.
    throw atLine(file, line, "This line is not JSON.");
  }
  const parsed = EvalCase.safeParse(withId(value, `line-${line}`));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.join(".") ?? "";
  throw atLine(file, line, `${field === "" ? "" : `${field}: `}${issue?.message ?? "It is no case."}`, field);
}

/** Cases may leave their id out, and may count with numbers. */
export function withId(value: unknown, id: string): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const given = (value as { id?: unknown }).id;
  if (given === undefined) return { ...value, id };
  return typeof given === "number" ? { ...value, id: String(given) } : value;
}

const maxLineBytes = evalLimits.maxCaseCharacters * 4;

async function* linesOf(path: string): AsyncGenerator<{ number: number; text: string }> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const file = basename(path);
  let number = 0;
  let rest: Buffer = Buffer.alloc(0);
  const decode = (bytes: Buffer): string => {
    try {
      return decoder.decode(bytes);
    } catch {
      throw atLine(file, number, "This line is not UTF-8.");
    }
  };
  for await (const chunk of chunksOf(path)) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10, start)) {
      number += 1;
      yield { number, text: decode(rest.subarray(start, end)) };
      start = end + 1;
    }
    rest = rest.subarray(start);
    if (rest.length > maxLineBytes) throw atLine(file, number + 1, "This line is too long.");
  }
  if (rest.length > 0) {
    number += 1;
    yield { number, text: decode(rest) };
  }
}

async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of createReadStream(path)) yield chunk as Buffer;
  } catch (thrown) {
    if (BenchtopError.is(thrown)) throw thrown;
    const reason = (thrown as NodeJS.ErrnoException).code ?? "unknown reason";
    throw new BenchtopError("FILE_READ_FAILED", `The dataset ${path} cannot be read (${reason}).`, {
      detail: { path },
      cause: thrown,
    });
  }
}

export function atLine(file: string, line: number | undefined, message: string, field = ""): BenchtopError {
  const place = line === undefined ? file : `${file}:${line}`;
  // Names of fields come from the file; in a terminal they must not do anything.
  const text = `${place}: ${message}`.replaceAll(/\p{Cc}/gu, "\uFFFD");
  return new BenchtopError("VALIDATION_FAILED", text, {
    detail: { file, ...(line !== undefined && { line }), ...(field !== "" && { fields: [field] }) },
  });
}
