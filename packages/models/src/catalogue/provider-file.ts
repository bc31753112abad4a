import type { Document, LineCounter } from "yaml";
import type { z } from "zod";
import { ProviderFile, type Problem } from "./entry.ts";

/** Where something is wrong: a line of a file, and the field. */
export interface Fault extends Problem {
  readonly file: string;
  readonly line: number;
}

/** One entry as it was written, and where each of its fields stands. */
export interface WrittenEntry {
  readonly file: string;
  readonly value: Readonly<Record<string, unknown>>;
  /** Below the entry. */
  faultsOf(problems: readonly Problem[]): Fault[];
}

export const maxFileBytes = 512 * 1024;
const maxDepth = 32;

type Path = readonly (string | number)[];

/**
 * Reads one YAML file into its entries, or says what is wrong with it. Nothing of YAML that a description needs no more than
 * JSON does is allowed: no anchors, aliases, merges, tags or second documents.
 */
export async function readProviderFile(file: string, text: string): Promise<WrittenEntry[] | Fault[]> {
  if (text.length > maxFileBytes)
    return [{ file, line: 1, path: [], message: `must not be longer than ${maxFileBytes} bytes` }];
  const tooDeep = lineOfDepth(text, maxDepth);
  if (tooDeep !== undefined)
    return [{ file, line: tooDeep, path: [], message: `must not be nested deeper than ${maxDepth}` }];
  // Loaded here: most of the time that reading takes is this.
  const { isAlias, isMap, isPair, isScalar, LineCounter, parseDocument, visit } = await import("yaml");
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, schema: "core", uniqueKeys: true, prettyErrors: false });
  const broken = [...document.errors, ...document.warnings].map((error) => ({
    file,
    line: lines.linePos(error.pos[0]).line,
    path: [],
    message: `is not YAML that can be read (${error.code.toLowerCase().replaceAll("_", " ")})`,
  }));
  if (broken.length > 0) return broken;
  const notPlain: Fault[] = [];
  visit(document, {
    Node: (_, node) => {
      const line = lines.linePos(node.range?.[0] ?? 0).line;
      if (isAlias(node)) notPlain.push({ file, line, path: [], message: "must not use aliases (*name)" });
      else if (node.anchor !== undefined)
        notPlain.push({ file, line, path: [], message: "must not use anchors (&name)" });
      else if (node.tag !== undefined && node.tag.startsWith("!")) {
        notPlain.push({ file, line, path: [], message: "must not use tags (!name)" });
      }
    },
  });
  if (notPlain.length > 0) return notPlain;
  const whereIs = (path: Path): number => lineOf(document, lines, path);
  const keyLine = (path: Path, key: string): number | undefined => {
    const map = path.length === 0 ? document.contents : document.getIn(path, true);
    if (!isMap(map)) return undefined;
    const pair = map.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === key);
    return isScalar(pair?.key) && pair.key.range ? lines.linePos(pair.key.range[0]).line : undefined;
  };
  const faultOf = ({ path, message }: Problem, below: Path = []): Fault => {
    const whole = [...below, ...path];
    const parent = whole.slice(0, -1);
    const line = keyLine(parent, String(whole.at(-1) ?? "")) ?? whereIs(whole);
    return { file, line, path: whole, message };
  };
  const parsed = ProviderFile.safeParse(document.toJS({ maxAliasCount: 0 }));
  if (!parsed.success) return problemsOf(parsed.error).map((problem) => faultOf(problem));
  return parsed.data.providers.map((value, place) => ({
    file,
    value,
    faultsOf: (problems) => problems.map((problem) => faultOf(problem, ["providers", place])),
  }));
}

export function isFaults(entries: readonly WrittenEntry[] | readonly Fault[]): entries is readonly Fault[] {
  return entries[0] !== undefined && "line" in entries[0];
}

/** One problem for each field, in words that repeat no value: a file may hold what should not be shown. */
export function problemsOf(error: z.ZodError): Problem[] {
  return error.issues.flatMap((issue): Problem[] => {
    const path = issue.path.map((part) => (typeof part === "number" ? part : String(part).slice(0, 60)));
    switch (issue.code) {
      case "unrecognized_keys":
        return issue.keys.map((key) => ({
          path: [...path, key.slice(0, 60)],
          message: "is no field that is known here",
        }));
      case "invalid_type":
        return [
          {
            path,
            message:
              issue.input === undefined && /received undefined/.test(issue.message)
                ? "is missing"
                : `must be ${named(issue.expected)}`,
          },
        ];
      case "invalid_value":
        return [
          {
            path,
            message: `must be ${issue.values
              .map(String)
              .join(", ")
              .replace(/, ([^,]+)$/, " or $1")}`,
          },
        ];
      case "invalid_format":
        return [{ path, message: issue.message.startsWith("must") ? issue.message : "has a form that is not allowed" }];
      case "too_big":
        return [{ path, message: `must not be more than ${issue.maximum}${unitOf(issue.origin)}` }];
      case "too_small":
        return [{ path, message: `must not be less than ${issue.minimum}${unitOf(issue.origin)}` }];
      default:
        return [{ path, message: issue.code === "custom" ? issue.message : "is not right" }];
    }
  });
}

function named(expected: string): string {
  const names: Readonly<Record<string, string>> = {
    string: "text (write it in quotes)",
    number: "a number",
    int: "a whole number",
    boolean: "true or false",
    array: "a list",
    object: "a map of fields",
    record: "a map of fields",
  };
  return names[expected] ?? expected;
}

function unitOf(origin: string): string {
  return origin === "string" ? " characters" : origin === "array" ? " entries" : "";
}

/** Of the field, or of the nearest thing around it that is there. */
function lineOf(document: Document, lines: LineCounter, path: Path): number {
  for (let length = path.length; length >= 0; length--) {
    const part = path.slice(0, length);
    const node: unknown = part.length === 0 ? document.contents : document.getIn(part, true);
    if (typeof node === "object" && node !== null && "range" in node && Array.isArray(node.range)) {
      return lines.linePos(Number(node.range[0])).line;
    }
  }
  return 1;
}

/** The parser calls itself for each level, so levels are counted before: by brackets and dashes, and by indentation. */
function lineOfDepth(text: string, limit: number): number | undefined {
  const indents: number[] = [];
  for (const [number, line] of text.split("\n").entries()) {
    const content = line.trimStart();
    if (content === "" || content.startsWith("#")) continue;
    const indent = line.length - content.length;
    while ((indents.at(-1) ?? -1) >= indent) indents.pop();
    indents.push(indent);
    const inLine = (content.match(/[[{]|(?:^|\s)[-?:](?=\s)/g) ?? []).length;
    if (indents.length + inLine > limit) return number + 1;
  }
  return undefined;
}
