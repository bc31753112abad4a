import { expect, test } from "vitest";
import { z } from "zod";
import { MessageReader } from "../../packages/server/src/grpc/from-zod.ts";
import type { Message } from "../../packages/server/src/grpc/message.ts";
import type { ServiceDefinitions } from "../../packages/server/src/grpc/services.ts";
import { NumberLock } from "../../scripts/proto/field-numbers.ts";
import { printFiles } from "../../scripts/proto/print.ts";

const reader = new MessageReader(new Map());

/** What a message of these fields is printed as. */
function print(shape: z.ZodRawShape, lock: NumberLock): string {
  const message: Message = reader.object(z.object(shape), "Thing");
  const definitions: ServiceDefinitions = { services: [], protocol: [], resources: [message], errorInfo: message };
  const text = printFiles(definitions, lock).get("benchtop/v1/resources.proto") ?? "";
  return text.slice(text.indexOf("message Thing"));
}

test("P1.4 a field keeps its number when others come, go and change places", () => {
  const first = new NumberLock({});
  expect(print({ runId: z.string(), seq: z.int() }, first)).toContain("  string run_id = 1;\n  int64 seq = 2;\n");
  const second = new NumberLock(first.all);
  expect(print({ name: z.string(), seq: z.int() }, second)).toBe(
    'message Thing {\n  reserved 1;\n  reserved "run_id";\n  string name = 3;\n  int64 seq = 2;\n}\n',
  );
  const third = new NumberLock(second.all);
  expect(print({ seq: z.int(), other: z.boolean(), runId: z.string() }, third)).toBe(
    'message Thing {\n  reserved 3;\n  reserved "name";\n  int64 seq = 2;\n  bool other = 4;\n  string run_id = 1;\n}\n',
  );
});

test("P1.4 a number is never given to a field of another type", () => {
  const first = new NumberLock({});
  print({ limit: z.int() }, first);
  const second = new NumberLock(first.all);
  expect(print({ limit: z.string() }, second)).toBe("message Thing {\n  reserved 1;\n  string limit = 2;\n}\n");
  // Whether it may be left out does not change how it is written.
  expect(print({ limit: z.string().optional() }, new NumberLock(second.all))).toContain("optional string limit = 2;");
});

test("schemas are read by the rules of the guide", () => {
  const text = print(
    {
      text: z.string().optional(),
      count: z.int().nullable(),
      ratio: z.number(),
      kind: z.enum(["too-large", "text"]),
      free: z.json(),
      record: z.record(z.string(), z.json()),
      names: z.record(z.string(), z.string()),
      entries: z.array(z.object({ path: z.string() })),
      marks: z.array(z.tuple([z.int(), z.int()])),
      days: z.int().nullable().default(90),
      steps: z.array(z.string()).default(["trim"]),
      flag: z.union([z.boolean(), z.stringbool()]).optional(),
      move: z.discriminatedUnion("type", [
        z.object({ type: z.literal("Begin"), at: z.string() }),
        z.object({ type: z.literal("too-late"), reason: z.string() }),
      ]),
    },
    new NumberLock({}),
  );
  for (const line of [
    "optional string text = 1;",
    "optional int64 count = 2;",
    "double ratio = 3;",
    '// One of "too-large", "text"; later versions may know more.\n  string kind = 4;',
    "google.protobuf.Value free = 5;",
    "google.protobuf.Struct record = 6;",
    "map<string, string> names = 7;",
    "repeated Thing.Entry entries = 8;",
    "repeated Thing.Mark marks = 9;",
    "message Mark {\n    repeated int64 values = 1;\n  }",
    "optional int64 days = 10;",
    "bool days_null = 11;",
    "repeated string steps = 12;",
    "bool steps_empty = 13;",
    "optional bool flag = 14;",
    "Thing.Move move = 15;",
    "oneof variant {\n      Thing.Move.Begin begin = 2;\n      Thing.Move.TooLate too_late = 3;\n    }",
  ]) {
    expect(text).toContain(line);
  }
});

test("what proto has no honest form for stops the generator, and names the field", () => {
  expect(() => print({ at: z.date() }, new NumberLock({}))).toThrow("Thing.At is of the type date");
  expect(() => print({ all: z.array(z.string().nullable()) }, new NumberLock({}))).toThrow("Thing.All");
  expect(() => print({ pair: z.tuple([z.string(), z.int()]) }, new NumberLock({}))).toThrow("Thing.Pair");
});
