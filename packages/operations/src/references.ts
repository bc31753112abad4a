import { z } from "zod";
import type { Operation } from "./define.ts";
import { RunId } from "./runs.ts";
import { WorkbenchRef } from "./workbenches.ts";

/** A field of an input that names a thing of a workspace. */
export interface Reference {
  readonly field: string;
  readonly kind: "workbench" | "run";
}

const kinds = new Map<z.ZodType, Reference["kind"]>([
  [WorkbenchRef, "workbench"],
  [RunId, "run"],
]);

/**
 * Which fields of an operation's input name things that belong to a workspace: those whose schema is one of the shared
 * reference schemas. Every transport has them checked against the caller's workspace before a handler runs.
 */
export function referencesOf(operation: Pick<Operation, "input">): readonly Reference[] {
  return Object.entries(operation.input.shape).flatMap(([field, schema]) => {
    const kind = kinds.get(withoutWrappers(schema as z.ZodType));
    return kind === undefined ? [] : [{ field, kind }];
  });
}

function withoutWrappers(schema: z.ZodType): z.ZodType {
  let inner = schema;
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodNullable || inner instanceof z.ZodDefault) {
    inner = inner.unwrap() as z.ZodType;
  }
  return inner;
}
