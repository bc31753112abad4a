/** Reading JSON of servers: what is not there, or not what it should be, is undefined. */

export type Fields = { readonly [field: string]: unknown };

export function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

export function listOf(value: unknown): readonly Fields[] | undefined {
  return Array.isArray(value) ? value.map(fieldsOf) : undefined;
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

export function countOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? Math.round(value) : undefined;
}

/** The name of a model: anything printable without a space, of a length that a person could read. */
export function nameOf(value: unknown): string | undefined {
  return typeof value === "string" && /^\S{1,255}$/.test(value) ? value : undefined;
}

/** Leaves out what is undefined, as optional fields want it. */
export function known<Object extends object>(fields: {
  readonly [Field in keyof Object]: Object[Field] | undefined;
}): Partial<Object> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<Object>;
}
