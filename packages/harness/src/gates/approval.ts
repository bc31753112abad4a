import { allow, ask, type Gate, type GatedTool, type GateMode } from "./gate.ts";
import { compiled, type ToolRule } from "./tool-rules.ts";

type ToolEffects = GatedTool["effects"];

export interface ApprovalOptions {
  readonly mode: GateMode;
  readonly name?: string;
  /** Calls that need a person's yes; every call when absent. */
  readonly tools?: readonly ToolRule[];
  /** Of those, calls of tools with one of these effects; any when absent. */
  readonly effects?: readonly ToolEffects[];
  readonly question?: string;
}

/**
 * Asks a person before a call is made; the run waits, as long as it takes, and needs no process meanwhile. The arguments are
 * shown beside the question. What cannot be compared with a rule is asked about.
 */
export function approval(options: ApprovalOptions): Gate {
  const { effects } = options;
  const rules = (options.tools ?? [{ tool: "*" }]).map(compiled);
  return {
    name: options.name ?? "approval",
    mode: options.mode,
    points: ["tool-call"],
    async check(subject) {
      if (subject.point !== "tool-call") return allow;
      const { call, tool } = subject;
      if (effects && !effects.includes(tool.effects)) return allow;
      if (!rules.some((rule) => rule(call.name, call.arguments, "deny"))) return allow;
      return ask(options.question ?? questionOf(tool.name, tool.effects));
    },
  };
}

function questionOf(tool: string, effects: ToolEffects): string {
  const consequence: Record<ToolEffects, string> = {
    none: "It changes nothing.",
    draft: "It changes the Draft, which can be discarded.",
    external: "What it does outside cannot be taken back.",
  };
  return `May the tool "${tool}" be called? ${consequence[effects]}`;
}
