import { BenchtopError, type Json } from "@benchtop/protocol";
import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import { estimateTokens } from "../context/estimate.ts";
import type { Tool, ToolSpec } from "./tool.ts";

/**
 * The tools of a run by name, each with its schema compiled once. Strict in both directions: a schema with an unknown
 * keyword is refused when the registry is made, arguments are neither coerced nor completed when a call is checked.
 */
export class ToolRegistry {
  readonly specs: readonly ToolSpec[];
  /** What telling a model of these tools costs, roughly. */
  readonly estimatedTokens: number;
  readonly #tools = new Map<string, { tool: Tool; validate: ValidateFunction }>();

  /** Throws `VALIDATION_FAILED` for a name that providers refuse, a name used twice, or a schema that is not strict 2020-12. */
  constructor(tools: readonly Tool[]) {
    const ajv = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true, validateFormats: false });
    for (const tool of tools) {
      if (!namePattern.test(tool.name)) {
        throw invalid(tool, "its name must be 1 to 64 letters, digits, dashes or underscores");
      }
      if (this.#tools.has(tool.name)) throw invalid(tool, "its name is used twice");
      if (tool.inputSchema["type"] !== "object") throw invalid(tool, 'its input schema must be of type "object"');
      this.#tools.set(tool.name, { tool, validate: compile(ajv, tool) });
    }
    this.specs = tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema }));
    this.estimatedTokens = this.specs.length === 0 ? 0 : estimateTokens(JSON.stringify(this.specs));
  }

  get(name: string): Tool | undefined {
    return this.#tools.get(name)?.tool;
  }

  /** What is wrong with the arguments of a call, in words for the model; empty when nothing is. */
  problems(name: string, input: Json): readonly string[] {
    const validate = this.#tools.get(name)?.validate;
    if (!validate || validate(input)) return [];
    return (validate.errors ?? []).map(problemOf);
  }
}

/** What every provider's protocol accepts as a function name. */
const namePattern = /^[A-Za-z0-9_-]{1,64}$/;

function compile(ajv: Ajv2020, tool: Tool): ValidateFunction {
  try {
    return ajv.compile(tool.inputSchema);
  } catch (thrown) {
    throw invalid(
      tool,
      `its input schema is not valid: ${thrown instanceof Error ? thrown.message : "unknown reason"}`,
    );
  }
}

function problemOf({ instancePath, message, keyword, params }: ErrorObject): string {
  const where = instancePath === "" ? "the arguments" : instancePath;
  const extra = keyword === "additionalProperties" ? ` (${String(params["additionalProperty"])})` : "";
  const allowed = keyword === "enum" ? `: ${JSON.stringify(params["allowedValues"])}` : "";
  return `${where} ${message ?? "is not valid"}${extra}${allowed}`;
}

function invalid(tool: ToolSpec, why: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `The tool "${tool.name}" cannot be used: ${why}.`, {
    detail: { tool: tool.name },
  });
}
