import { z } from "zod";
import type { Operation } from "./define.ts";

/** JSON Schema 2020-12, without the word that says so. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What an operation takes, as a caller may write it, and what it answers; each complete in itself. */
export function jsonSchemasOf(operation: Pick<Operation, "input" | "output">): {
  readonly input: JsonSchema;
  readonly output: JsonSchema;
} {
  return { input: schemaOf(operation.input, "input"), output: schemaOf(operation.output, "output") };
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}
