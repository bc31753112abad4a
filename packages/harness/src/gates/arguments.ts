import type { Json } from "@benchtop/protocol";

/** Every string in a call's arguments, names of properties included, with the name of the property that it belongs to. */
export function stringsIn(value: Json): readonly { readonly name: string; readonly text: string }[] {
  const found: { name: string; text: string }[] = [];
  const waiting: { name: string; value: Json }[] = [{ name: "", value }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { name, value } = next;
    if (typeof value === "string") found.push({ name, text: value });
    else if (Array.isArray(value)) waiting.push(...value.map((item) => ({ name, value: item })));
    else if (typeof value === "object" && value !== null) {
      for (const [key, item] of Object.entries(value)) {
        found.push({ name: "", text: key });
        waiting.push({ name: key, value: item });
      }
    }
  }
  return found;
}

/** The values that a JSON pointer (RFC 6901) names; `*` stands for every element or property. */
export function valuesAt(value: Json, pointer: string): readonly Json[] {
  if (pointer === "") return [value];
  let values: readonly Json[] = [value];
  for (const part of pointer.slice(1).split("/")) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    values = values.flatMap((item) => childrenOf(item, key, part === "*"));
  }
  return values;
}

function childrenOf(value: Json, key: string, every: boolean): readonly Json[] {
  if (typeof value !== "object" || value === null) return [];
  if (every) return Object.values(value);
  if (!Object.hasOwn(value, key)) return [];
  const child = (value as Record<string, Json>)[key];
  return child === undefined ? [] : [child];
}
