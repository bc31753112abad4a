/** A span as OTLP/HTTP writes it in JSON: ids in hex, enums as numbers, 64-bit integers as decimal text (opentelemetry-proto 1.x). */
export interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly OtlpAttribute[];
  readonly events: readonly {
    readonly timeUnixNano: string;
    readonly name: string;
    readonly attributes: readonly OtlpAttribute[];
  }[];
  readonly droppedEventsCount?: number;
  readonly status: { readonly code?: number; readonly message?: string };
}

export interface OtlpAttribute {
  readonly key: string;
  readonly value: OtlpValue;
}

export type OtlpValue =
  | { readonly stringValue: string }
  | { readonly boolValue: boolean }
  | { readonly intValue: string }
  | { readonly doubleValue: number }
  | { readonly arrayValue: { readonly values: readonly OtlpValue[] } };

/** A number is an integer where it is whole, unless it says that it is a double. */
export type AttributeValue = string | number | boolean | readonly string[] | { readonly double: number } | undefined;

export const spanKind = { internal: 1, client: 3 } as const;
const statusError = 2;

/** Attributes that have a value. */
export function attributesOf(values: Readonly<Record<string, AttributeValue>>): readonly OtlpAttribute[] {
  const attributes: OtlpAttribute[] = [];
  for (const [key, value] of Object.entries(values)) {
    if (value !== undefined) attributes.push({ key, value: valueOf(value) });
  }
  return attributes;
}

function valueOf(value: Exclude<AttributeValue, undefined>): OtlpValue {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number")
    return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  if ("double" in value) return { doubleValue: value.double };
  return { arrayValue: { values: value.map((item) => ({ stringValue: item })) } };
}

/** Unset, as the convention wants it for what went well. */
export function statusOf(error: { readonly message: string } | undefined): OtlpSpan["status"] {
  if (error === undefined) return {};
  return { code: statusError, ...(error.message !== "" && { message: error.message }) };
}

export function nanoseconds(milliseconds: number): string {
  return String(BigInt(Math.round(milliseconds)) * 1_000_000n);
}

const maxTextCharacters = 16_384;

/** Backends refuse or cut long values; so that JSON stays JSON, each text is cut here. */
export function bounded(text: string): string {
  return text.length <= maxTextCharacters ? text : `${text.slice(0, maxTextCharacters)}… [cut]`;
}
