import { fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import { operations, type Operation } from "@benchtop/operations";
import { errorInfoSchema } from "@benchtop/protocol";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { validValues } from "../../test/valid-values.ts";
import { Codecs } from "./codec.ts";
import { messageNamed, readDescriptors } from "./descriptors.ts";
import type { Field, Message } from "./message.ts";
import { defineServices, type Method } from "./services.ts";

const registry = await readDescriptors();
const codecs = new Codecs(registry);
const { services, errorInfo } = defineServices();
const methods = services.flatMap((service) => service.methods);
const recursionLimit = 300;

/** Through the bytes of gRPC and through the JSON of Connect. */
function* roundTrips(message: Message, value: unknown): Generator {
  const descriptor = messageNamed(registry, message.name);
  const codec = codecs.of(message);
  const encoded = codec.encode(value);
  yield codec.decode(fromBinary(descriptor, toBinary(descriptor, encoded), { recursionLimit }));
  yield codec.decode(fromJson(descriptor, toJson(descriptor, encoded, { registry }), { registry, recursionLimit }));
}

function requestOf({ request, operation }: Method): Message {
  return operation.transfer === "upload" ? (request.choice?.variants[0]?.message ?? request) : request;
}

test.each(methods.map((method) => [method.operation.id, method] as const))(
  "P1.4 every input of %s comes through proto as it was",
  (_, method) => {
    const message = requestOf(method);
    fc.assert(
      fc.property(validValues(method.operation.input), (value) => {
        for (const back of roundTrips(message, value)) expect(back).toEqual(emptyIsAbsent(message, value));
      }),
      { numRuns: 30 },
    );
  },
);

test.each(
  methods
    .filter(({ operation }) => operation.transfer !== "download")
    .map((method) => [method.operation.id, method] as const),
)("P1.4 every output of %s comes through proto as it was", (_, { operation, response, wrapped }) => {
  fc.assert(
    fc.property(validValues(operation.output), (value) => {
      const answer = wrapped ? { [response.fields[0]?.key ?? ""]: value } : value;
      for (const back of roundTrips(response, answer)) expect(back).toEqual(emptyIsAbsent(response, answer));
    }),
    { numRuns: 30 },
  );
});

test("every error comes through proto as it was", () => {
  fc.assert(
    fc.property(
      fc.record(
        {
          error_code: fc.constantFrom("NOT_FOUND", "DISK_FULL"),
          phase: fc.constantFrom("run", "settings"),
          retryable: fc.boolean(),
          actions: fc.array(fc.constantFrom("retry", "resume")),
          run_id: fc.string(),
          detail: fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.array(fc.string()))),
        },
        { requiredKeys: ["error_code", "phase", "retryable", "actions"] },
      ),
      (info) => {
        expect(errorInfoSchema.safeParse(info).success).toBe(true);
        for (const back of roundTrips(errorInfo, info)) expect(back).toEqual(info);
      },
    ),
  );
});

test("a name that JavaScript gives a meaning to is a name like any other", () => {
  const schema = JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}') as object;
  const input = { model: "provider/model", prompt: "x", output: { name: "n", schema } };
  for (const back of roundTrips(requestNamed("runs.start"), input)) {
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
  }
});

test("null and an empty list are told from what is left out, where that makes a difference", () => {
  const request = requestNamed("keys.create");
  const [left] = roundTrips(request, { name: "a", scopes: ["runs:read"] });
  expect(left).not.toHaveProperty("expiresInDays");
  const [never] = roundTrips(request, { name: "a", scopes: ["runs:read"], expiresInDays: null });
  expect(never).toMatchObject({ expiresInDays: null });
});

test("a whole number beyond what JavaScript holds exactly is refused, and not rounded", () => {
  const operation = operations["runs.fork"] as Operation;
  const fork = requestNamed("runs.fork");
  const descriptor = messageNamed(registry, fork.name);
  const message = fromJson(descriptor, { runId: "a", seq: "9007199254740993" });
  expect(operation.input.safeParse(codecs.of(fork).decode(message)).success).toBe(false);
});

function requestNamed(id: string): Message {
  const method = methods.find(({ operation }) => operation.id === id);
  if (method === undefined) throw new Error(`There is no operation ${id}.`);
  return requestOf(method);
}

/** The one thing that proto does not keep: an empty list or map that might as well have been left out. */
function emptyIsAbsent(message: Message, value: unknown): unknown {
  const source = value as Record<string, unknown>;
  const fields = [...message.fields, ...variantOf(message, source)];
  return Object.fromEntries(
    Object.entries(source).flatMap(([key, item]) => {
      const field = fields.find((each) => each.key === key);
      if (field === undefined) return [[key, item]];
      return isEmpty(field, item) ? [] : [[key, expected(field.shape, item)]];
    }),
  );
}

function variantOf({ choice }: Message, source: Record<string, unknown>): readonly Field[] {
  const variant = choice?.variants.find(({ literal }) => literal === source[choice.discriminator ?? ""]);
  return variant?.message?.fields ?? [];
}

function isEmpty({ mayBeAbsent, beside, shape }: Field, item: unknown): boolean {
  const isPlural = shape.kind === "list" || shape.kind === "map";
  return isPlural && mayBeAbsent === true && beside === undefined && Object.keys(item as object).length === 0;
}

function expected(shape: Field["shape"], item: unknown): unknown {
  if (item === null || item === undefined) return item;
  switch (shape.kind) {
    case "message":
      return Array.isArray(item) ? item : emptyIsAbsent(shape.message, item);
    case "list":
      return (item as unknown[]).map((each) => expected(shape.element, each));
    case "map":
      return Object.fromEntries(Object.entries(item).map(([key, each]) => [key, expected(shape.value, each)]));
    default:
      return item;
  }
}
