import { open } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { BenchtopError, EvalSuite, EvalSuiteFile, type EvalCase } from "@benchtop/protocol";
import { isMap, isPair, isScalar, LineCounter, parseDocument, type Document } from "yaml";
import { checkSuite, type SuiteProblem } from "./check-suite.ts";
import { atLine, readDataset, withId } from "./dataset.ts";

/** What the caller says instead of the file. */
export interface SuiteOverrides {
  readonly models?: readonly string[];
  readonly repeat?: number;
  readonly concurrency?: number;
}

const maxSuiteBytes = 5_000_000;
/** An alias is a reference to a part of the file; a few are a convenience, thousands of them a bomb. */
const maxAliases = 100;
const maxDepth = 64;

/**
 * Reads a suite from its YAML (or JSON) file, and its dataset beside it. Every error says which file, line and field it is
 * about: `VALIDATION_FAILED` for what is written, `FILE_READ_FAILED` for what cannot be read.
 */
export async function loadSuite(path: string, overrides: SuiteOverrides = {}): Promise<EvalSuite> {
  const file = basename(path);
  const lines = new LineCounter();
  const document = parseYaml(file, await readText(path), lines);
  const place = (problem: SuiteProblem): BenchtopError =>
    atLine(
      file,
      lineOf(document, lines, problem.path),
      `${fieldOf(problem.path)}${problem.message}`,
      problem.path.join("."),
    );

  const parsed = EvalSuiteFile.safeParse(withIds(valueOf(file, document)));
  if (!parsed.success) {
    throw place(firstIssue(parsed.error.issues));
  }
  const { model, models, dataset, cases, ...rest } = parsed.data;
  if (model !== undefined && models !== undefined)
    throw place({ path: ["model"], message: "Give `model` or `models`, not both" });
  if ((cases === undefined) === (dataset === undefined)) {
    throw place({ path: [dataset === undefined ? "name" : "dataset"], message: "Give either `cases` or a `dataset`" });
  }
  const wanted = overrides.models ?? models ?? (model === undefined ? undefined : [model]);
  if (wanted === undefined)
    throw place({ path: [], message: "No model: give `model` or `models` in the suite, or name one when you run it" });

  const found = await casesOf(path, dataset, cases);
  const { repeat = rest.repeat, concurrency = rest.concurrency } = overrides;
  const suite = EvalSuite.safeParse({ ...rest, models: wanted, repeat, concurrency, cases: found.cases });
  if (!suite.success) {
    throw place(firstIssue(suite.error.issues));
  }
  const [problem] = checkSuite(suite.data);
  if (problem === undefined) return suite.data;
  const line = problem.path[0] === "cases" ? found.lines?.[Number(problem.path[1])] : undefined;
  throw line === undefined || dataset === undefined ? place(problem) : atLine(basename(dataset), line, problem.message);
}

/** A suite that came as data. Throws `VALIDATION_FAILED` that names the field. */
export function parseSuite(value: unknown): EvalSuite {
  const parsed = EvalSuite.safeParse(value);
  const problem = parsed.success ? checkSuite(parsed.data)[0] : firstIssue(parsed.error.issues);
  if (parsed.success && problem === undefined) return parsed.data;
  const where = (problem?.path ?? []).map(String).join(".");
  throw new BenchtopError(
    "VALIDATION_FAILED",
    `The suite is not valid. ${where === "" ? "" : `${where}: `}${problem?.message ?? ""}.`,
    {
      detail: { fields: [where] },
    },
  );
}

async function casesOf(
  path: string,
  dataset: string | undefined,
  inline: readonly EvalCase[] | undefined,
): Promise<{ cases: readonly EvalCase[]; lines?: readonly number[] }> {
  if (dataset === undefined) return { cases: inline ?? [] };
  const cases: EvalCase[] = [];
  const lines: number[] = [];
  for await (const found of readDataset(resolve(dirname(path), dataset))) {
    cases.push(found.case);
    lines.push(found.line);
  }
  if (cases.length === 0) throw atLine(basename(dataset), undefined, "There is no case in it.");
  return { cases, lines };
}

async function readText(path: string): Promise<string> {
  try {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      if (size > maxSuiteBytes)
        throw atLine(
          basename(path),
          undefined,
          `A suite has at most ${maxSuiteBytes} bytes; put cases into a dataset.`,
        );
      return new TextDecoder("utf-8", { fatal: true }).decode(await file.readFile());
    } finally {
      await file.close();
    }
  } catch (thrown) {
    if (BenchtopError.is(thrown)) throw thrown;
    if (thrown instanceof TypeError) throw atLine(basename(path), undefined, "This is not UTF-8 text.");
    const reason = (thrown as NodeJS.ErrnoException).code ?? "unknown reason";
    throw new BenchtopError("FILE_READ_FAILED", `The suite ${path} cannot be read (${reason}).`, {
      detail: { path },
      cause: thrown,
    });
  }
}

function parseYaml(file: string, text: string, lineCounter: LineCounter): Document {
  if (isTooDeep(text)) throw atLine(file, undefined, `It is nested deeper than ${maxDepth} levels.`);
  let document: Document;
  try {
    document = parseDocument(text, {
      lineCounter,
      prettyErrors: false,
      uniqueKeys: true,
      schema: "core",
      logLevel: "silent",
    });
  } catch (thrown) {
    if (thrown instanceof RangeError) throw atLine(file, undefined, `It is nested deeper than ${maxDepth} levels.`);
    throw thrown;
  }
  const [error] = [...document.errors, ...document.warnings];
  if (error)
    throw atLine(
      file,
      lineCounter.linePos(error.pos[0]).line,
      `This is not valid YAML (${error.code.toLowerCase().replaceAll("_", " ")}).`,
    );
  return document;
}

/** Brackets that nobody closes are what makes a parser recurse fastest. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  for (const character of text) {
    if (character === "[" || character === "{") depth += 1;
    else if (character === "]" || character === "}") depth = Math.max(0, depth - 1);
    if (depth > 1000) return true;
  }
  return false;
}

function valueOf(file: string, document: Document): unknown {
  try {
    const value: unknown = document.toJS({ maxAliasCount: maxAliases });
    if (depthOf(value) > maxDepth) throw atLine(file, undefined, `It is nested deeper than ${maxDepth} levels.`);
    return value;
  } catch (thrown) {
    if (thrown instanceof ReferenceError)
      throw atLine(file, undefined, "It has too many aliases, or one that names nothing.");
    if (thrown instanceof RangeError) throw atLine(file, undefined, `It is nested deeper than ${maxDepth} levels.`);
    throw thrown;
  }
}

function depthOf(value: unknown, depth = 1): number {
  if (typeof value !== "object" || value === null || depth > maxDepth) return depth;
  return Object.values(value).reduce<number>((deepest, inner) => Math.max(deepest, depthOf(inner, depth + 1)), depth);
}

function withIds(value: unknown): unknown {
  const cases = (value as { cases?: unknown } | null)?.cases;
  if (!Array.isArray(cases)) return value;
  return { ...(value as object), cases: cases.map((item, index) => withId(item, `case-${index + 1}`)) };
}

interface Issue {
  readonly code: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

/**
 * The problem to look at first. A field that does not exist comes before all others, because a misspelt name is often why
 * another is missing; its own name leads to its line.
 */
function firstIssue(issues: readonly Issue[]): SuiteProblem {
  const issue = issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0];
  if (!issue) return { path: [], message: "It is no suite" };
  const path = issue.path.map((part) => (typeof part === "symbol" ? String(part) : part));
  const [unknown] = issue.keys ?? [];
  if (issue.code === "unrecognized_keys" && unknown !== undefined) {
    return { path: [...path, unknown], message: "There is no such field" };
  }
  return { path, message: issue.message.endsWith("received undefined") ? "This field is missing" : issue.message };
}

function fieldOf(path: readonly (string | number)[]): string {
  return path.length === 0 ? "" : `${path.join(".")}: `;
}

/** The line of a field; of the closest thing around it where the field is missing. */
function lineOf(document: Document, lines: LineCounter, path: readonly (string | number)[]): number | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const offset = offsetOf(document, path.slice(0, length));
    if (offset !== undefined) return lines.linePos(offset).line;
  }
  const start = document.contents?.range?.[0];
  return start === undefined ? undefined : lines.linePos(start).line;
}

function offsetOf(document: Document, path: readonly (string | number)[]): number | undefined {
  const parent: unknown = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const name = path.at(-1);
  if (isMap(parent)) {
    const pair = parent.items.find(
      (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(name),
    );
    return pair !== undefined && isScalar(pair.key) ? pair.key.range?.[0] : undefined;
  }
  const node: unknown = document.getIn(path, true);
  return (node as { range?: readonly [number, number, number] } | undefined)?.range?.[0];
}
