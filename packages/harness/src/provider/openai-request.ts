import type { ToolCall } from "@benchtop/protocol";
import type { JsonSchema } from "../tools/tool.ts";

/** What requests of both protocols of OpenAI share. */

/** A call's arguments as the model wrote them. */
export function argumentsTextOf(call: ToolCall): string {
  return call.invalidArguments ?? JSON.stringify(call.arguments);
}

/**
 * OpenAI refuses `temperature` for models that reason, `reasoning` for those that do not, and tells by neither field which is
 * which; their names do. `undefined` for models of others.
 */
export function isOpenAiReasoning(modelId: string): boolean | undefined {
  const name = modelId.slice(modelId.lastIndexOf("/") + 1);
  if (/^(gpt-[34]|chatgpt|gpt-\d+(\.\d+)?-chat)/.test(name)) return false;
  return /^(o\d|gpt-\d|codex)/.test(name) && !name.startsWith("gpt-oss") ? true : undefined;
}

/**
 * Whether OpenAI takes a schema in strict mode, which guarantees the form of the answer: every object closed, every member
 * required, no keyword that its decoder does not know. Any other schema is a hint to the model.
 * https://developers.openai.com/api/docs/guides/structured-outputs#supported-schemas
 */
export function isStrictSchema(schema: JsonSchema): boolean {
  return schema["type"] === "object" && isStrict(schema, 0);
}

const deepestStrict = 10;

function isStrict(schema: unknown, depth: number): boolean {
  if (typeof schema !== "object" || schema === null || Array.isArray(schema) || depth > deepestStrict) return false;
  const {
    properties = {},
    required = [],
    additionalProperties,
    items,
    anyOf,
    $defs = {},
    type,
  } = schema as StrictSchema;
  if (Object.keys(schema).some((keyword) => !strictKeywords.has(keyword))) return false;
  const isObject = type === "object" || (Array.isArray(type) && type.includes("object"));
  if (isObject && additionalProperties !== false) return false;
  const names = Object.keys(properties);
  if (names.length !== required.length || !names.every((name) => required.includes(name))) return false;
  const parts = [...Object.values(properties), ...Object.values($defs), ...(anyOf ?? [])];
  return [...parts, ...(items === undefined ? [] : [items])].every((part) => isStrict(part, depth + 1));
}

const strictKeywords: ReadonlySet<string> = new Set(
  (
    "type properties required additionalProperties items anyOf enum const $ref $defs title description pattern " +
    "multipleOf minimum maximum exclusiveMinimum exclusiveMaximum minItems maxItems"
  ).split(" "),
);

interface StrictSchema {
  readonly type?: unknown;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly items?: unknown;
  readonly anyOf?: readonly unknown[];
  readonly $defs?: Readonly<Record<string, unknown>>;
}
