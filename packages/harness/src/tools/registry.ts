import { createRequire } from "node:module";
import { BenchtopError, type Json } from "@benchtop/protocol";
import type * as Ajv from "ajv/dist/2020.js";
import type { ErrorObject, ValidateFunction } from "ajv/dist/2020.js";
import { estimateTokens } from "../context/estimate.ts";
import type { JsonSchema, Tool, ToolSpec } from "./tool.ts";

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
    for (const tool of tools) {
      if (!namePattern.test(tool.name)) {
        throw invalid(tool, "its name must be 1 to 64 letters, digits, dashes or underscores");
      }
      if (this.#tools.has(tool.name)) throw invalid(tool, "its name is used twice");
      if (tool.inputSchema["type"] !== "object") throw invalid(tool, 'its input schema must be of type "object"');
      this.#tools.set(tool.name, { tool, validate: validatorOf(tool) });
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
    return validate ? problemsOf(validate, input) : [];
  }
}

/** What is wrong with a value, in words for a model; empty when nothing is. Throws `VALIDATION_FAILED` for a schema that is not strict 2020-12. */
export function problemsWith(schema: JsonSchema, value: Json): readonly string[] {
  return problemsOf(validatorOf({ name: "output", inputSchema: schema }), value);
}

/** Why a schema is no strict JSON Schema (2020-12), in words; undefined when it is one. */
export function problemWithSchema(schema: JsonSchema): string | undefined {
  try {
    compiledSchema(schema);
    return undefined;
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : "unknown reason";
  }
}

function problemsOf(validate: ValidateFunction, value: Json): readonly string[] {
  return validate(value) ? [] : (validate.errors ?? []).map(problemOf);
}

/** What every provider's protocol accepts as a function name. */
const namePattern = /^[A-Za-z0-9_-]{1,64}$/;

/** Loaded by the first schema: a process without tools, or one that has just started, goes without its 80 modules. */
const require = createRequire(import.meta.url);

/** Compiled once for each schema, however many registries it is part of: a registry is made for every run. */
const validators = new WeakMap<JsonSchema, ValidateFunction>();
let compiler: { readonly ajv: Ajv.Ajv2020; compiled: number } | undefined;

/** Whatever Ajv compiled stays in its scope, removed or not, so after this many schemas another instance takes its place. */
const mostSchemasOfOneCompiler = 200;

function validatorOf(tool: Pick<Tool, "name" | "inputSchema">): ValidateFunction {
  try {
    return compiledSchema(tool.inputSchema);
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : "unknown reason";
    throw invalid(tool, `its input schema is not valid: ${reason}`);
  }
}

/** Throws what Ajv throws for a schema that is not strict. */
function compiledSchema(schema: JsonSchema): ValidateFunction {
  const known = validators.get(schema);
  if (known) return known;
  if (!compiler || compiler.compiled >= mostSchemasOfOneCompiler) {
    const { Ajv2020 } = require("ajv/dist/2020.js") as typeof Ajv;
    const ajv = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true, validateFormats: false });
    compiler = { ajv, compiled: 0 };
  }
  const { ajv } = compiler;
  compiler.compiled += 1;
  try {
    const validate = ajv.compile(schema);
    validators.set(schema, validate);
    return validate;
  } finally {
    ajv.removeSchema(schema);
  }
}

function problemOf({ instancePath, message, keyword, params }: ErrorObject): string {
  const where = instancePath === "" ? "the arguments" : instancePath;
  const extra = keyword === "additionalProperties" ? ` (${String(params["additionalProperty"])})` : "";
  const allowed = keyword === "enum" ? `: ${JSON.stringify(params["allowedValues"])}` : "";
  return `${where} ${message ?? "is not valid"}${extra}${allowed}`;
}

function invalid(tool: Pick<ToolSpec, "name">, why: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `The tool "${tool.name}" cannot be used: ${why}.`, {
    detail: { tool: tool.name },
  });
}
