import type { JsonSchema } from "@benchtop/harness";

/** The schema of a tool's input, or of an object in one: no other properties than those named. */
export function schemaObject(properties: Record<string, JsonSchema>, ...required: string[]): JsonSchema {
  return { type: "object", properties, required, additionalProperties: false };
}

/** The same at the root. */
export function inputSchema(properties: Record<string, JsonSchema>, ...required: string[]): JsonSchema {
  return { $schema: "https://json-schema.org/draft/2020-12/schema", ...schemaObject(properties, ...required) };
}
