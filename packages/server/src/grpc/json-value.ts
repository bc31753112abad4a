import { create, type JsonObject, type Message } from "@bufbuild/protobuf";
import { ListValueSchema, NullValue, StructSchema, ValueSchema, type Value } from "@bufbuild/protobuf/wkt";

/** Free-form JSON as `google.protobuf.Value`. */
export function toValue(json: unknown): Value {
  return create(ValueSchema, { kind: kindOf(json) });
}

export function fromValue(value: Message): unknown {
  const { kind } = value as Value;
  switch (kind.case) {
    case "listValue":
      return kind.value.values.map(fromValue);
    case "structValue":
      return plain(Object.entries(kind.value.fields).map(([key, field]) => [key, fromValue(field)]));
    case "nullValue":
    case undefined:
      return null;
    default:
      return kind.value;
  }
}

/** A copy without what JSON has not; the runtime holds a `Struct` that is a field of ours as a plain object. */
export function toPlain(json: unknown): JsonObject {
  return JSON.parse(JSON.stringify(json)) as JsonObject;
}

function kindOf(json: unknown): Value["kind"] {
  switch (typeof json) {
    case "string":
      return { case: "stringValue", value: json };
    case "number":
      return { case: "numberValue", value: json };
    case "boolean":
      return { case: "boolValue", value: json };
    case "object":
      if (json === null) return nothing;
      if (Array.isArray(json)) {
        return { case: "listValue", value: create(ListValueSchema, { values: json.map(toValue) }) };
      }
      return {
        case: "structValue",
        value: create(StructSchema, {
          fields: plain(
            Object.entries(json)
              .filter(([, value]) => value !== undefined)
              .map(([key, value]) => [key, toValue(value)]),
          ),
        }),
      };
    default:
      return nothing;
  }
}

const nothing: Value["kind"] = { case: "nullValue", value: NullValue.NULL_VALUE };

/** An object with these properties, one named `__proto__` included. */
function plain<T>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  return Object.fromEntries(entries);
}
