import { expect, test } from "vitest";
import { controlOf, describe } from "./control.ts";
import type { Schema } from "./document.ts";

const schemas: Record<string, Schema> = {
  Role: { type: "string", enum: ["viewer", "editor"] },
  Json: { anyOf: [{ type: "string" }, { type: "array", items: { $ref: "#/components/schemas/Json" } }] },
};

test.each<[string, Schema, object]>([
  ["a short text", { type: "string", maxLength: 100 }, { kind: "text", multiline: false, nullable: false }],
  ["a long text", { type: "string", maxLength: 200_000 }, { kind: "text", multiline: true, nullable: false }],
  [
    "a number or nothing",
    { anyOf: [{ type: "integer" }, { type: "null" }] },
    { kind: "number", integer: true, nullable: true },
  ],
  ["a text or nothing", { type: ["string", "null"] }, { kind: "text", multiline: false, nullable: true }],
  [
    "a named choice",
    { $ref: "#/components/schemas/Role" },
    { kind: "choice", options: ["viewer", "editor"], nullable: false },
  ],
  [
    "several of a few",
    { type: "array", items: { $ref: "#/components/schemas/Role" } },
    { kind: "choices", options: ["viewer", "editor"] },
  ],
  ["a list", { type: "array", items: { type: "string" } }, { kind: "list", items: { type: "string" } }],
  ["one of several shapes", { oneOf: [{ type: "object" }, { type: "string" }] }, { kind: "json" }],
  ["a record", { type: "object" }, { kind: "json" }],
  ["what contains itself", { $ref: "#/components/schemas/Json" }, { kind: "json" }],
  ["a reference to nothing", { $ref: "#/components/schemas/Nothing" }, { kind: "json" }],
])("%s", (_, schema, control) => {
  expect(controlOf(schema, schemas)).toEqual(control);
});

test("a schema says what it takes", () => {
  expect(describe({ type: "integer", minimum: 1, maximum: 1000, default: 100 }, schemas)).toBe(
    "integer, 1 to 1000, 100 unless given",
  );
  expect(describe({ anyOf: [{ type: "string", maxLength: 20 }, { type: "null" }] }, schemas)).toBe(
    "string, at most 20 characters, or null",
  );
});
