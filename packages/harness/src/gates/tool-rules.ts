import { BenchtopError, type Json } from "@benchtop/protocol";
import { valuesAt } from "./arguments.ts";
import { allow, deny, type Gate, type GateMode } from "./gate.ts";
import { glob, regularExpression, type Pattern } from "./pattern.ts";

/** Which calls a rule is about: tools by name, and of those the calls whose arguments satisfy every condition. */
export interface ToolRule {
  /** A glob over tool names. */
  readonly tool: string;
  readonly where?: readonly ArgumentCondition[];
}

/**
 * A condition on one argument; exactly one of `glob` and `regex`. Where `path` names several values, one that matches is
 * enough to refuse or to ask, and all must match to allow. Where it names none, the condition does not hold.
 */
export interface ArgumentCondition {
  /** JSON pointer into the arguments (`/path`, `/files/0`); `*` stands for every element or property. */
  readonly path: string;
  readonly glob?: string;
  readonly regex?: string;
  /** `path`: the value is a path of files, compared once `.`, `..`, `//` and `\` are resolved. */
  readonly as?: "path";
  readonly ignoreCase?: boolean;
}

export interface ToolRulesOptions {
  readonly mode: GateMode;
  readonly name?: string;
  /** When there are any, a call that matches none of them is refused. */
  readonly allow?: readonly ToolRule[];
  /** A call that matches one of these is refused, whatever allows it. */
  readonly deny?: readonly ToolRule[];
}

/**
 * Refuses calls by the tool's name and its arguments. What cannot be compared is refused: a path that leads out of its
 * folder, a value too long. Throws `VALIDATION_FAILED` for a pattern that is not understood.
 */
export function toolRules(options: ToolRulesOptions): Gate {
  const allowed = options.allow?.map(compiled);
  const denied = (options.deny ?? []).map(compiled);
  return {
    name: options.name ?? "tools",
    mode: options.mode,
    points: ["tool-call"],
    async check(subject) {
      if (subject.point !== "tool-call") return allow;
      const { name, arguments: input } = subject.call;
      if (denied.some((rule) => rule(name, input, "deny"))) return deny("A rule of this workbench refuses this call.");
      if (allowed && !allowed.some((rule) => rule(name, input, "allow"))) return deny("No rule allows this call.");
      return allow;
    },
  };
}

/** Whether a rule holds of a call. `effect` decides what is not comparable: it does not allow, and it does deny. */
export type CompiledRule = (tool: string, input: Json, effect: "allow" | "deny") => boolean;

export function compiled(rule: ToolRule): CompiledRule {
  const isTool = glob(rule.tool);
  const conditions = (rule.where ?? []).map(condition);
  return (tool, input, effect) => isTool(tool) && conditions.every((holds) => holds(input, effect));
}

/** Longer values are not compared. */
const maxValueCharacters = 100_000;

function condition(rule: ArgumentCondition): (input: Json, effect: "allow" | "deny") => boolean {
  const { path, as } = rule;
  if (path !== "" && !path.startsWith("/")) throw invalid(`the path "${path}" is no JSON pointer`);
  const matches = patternOf(rule);
  return (input, effect) => {
    const values = valuesAt(input, path);
    const holds = (value: Json): boolean => {
      const text = comparable(value, as);
      return text === undefined ? effect === "deny" : matches(text);
    };
    // What allows has to be true of all that the path names, what denies of one.
    return effect === "allow" ? values.length > 0 && values.every(holds) : values.some(holds);
  };
}

function patternOf({ glob: globbed, regex, ignoreCase = false }: ArgumentCondition): Pattern {
  if (globbed !== undefined && regex === undefined) return glob(globbed, { ignoreCase });
  if (regex !== undefined && globbed === undefined) return regularExpression(regex, { ignoreCase });
  throw invalid("a condition needs either glob or regex");
}

function comparable(value: Json, as: "path" | undefined): string | undefined {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  if (text.length > maxValueCharacters) return undefined;
  return as === "path" ? normalPath(text) : text;
}

const controls = /\p{Cc}/u;

/** Undefined for a path that leads above where it starts, or holds a control character. */
function normalPath(text: string): string | undefined {
  if (controls.test(text)) return undefined;
  const path = text.normalize("NFC").replaceAll("\\", "/");
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && parts.pop() === undefined) return undefined;
    if (part !== "..") parts.push(part);
  }
  return (path.startsWith("/") ? "/" : "") + parts.join("/");
}

function invalid(why: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `The rule for tools cannot be used: ${why}.`, { phase: "settings" });
}
