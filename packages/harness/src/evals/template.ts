import type { EvalCase, Json } from "@benchtop/protocol";

const variable = /\\?\{\{\s*([\p{L}_][\p{L}\p{N}_-]*(?:\.[\p{L}\p{N}_-]+)*)\s*\}\}/gu;

/**
 * Fills in `{{name}}` and `{{name.inner}}` from the fields of a case; `\{{name}}` stays as it is. What is filled in is never
 * read as a template again. Gives the names that the case lacks instead of a prompt that says less than was meant.
 */
export function renderTemplate(template: string, item: EvalCase): { text: string } | { missing: readonly string[] } {
  const missing = new Set<string>();
  const text = template.replace(variable, (whole, path: string) => {
    if (whole.startsWith("\\")) return whole.slice(1);
    const value = lookUp(item, path.split("."));
    if (value === undefined) missing.add(path);
    return textOf(value ?? null);
  });
  return missing.size === 0 ? { text } : { missing: [...missing] };
}

/** A text as it is, everything else as JSON. */
export function textOf(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function lookUp(value: Json | undefined, path: readonly string[]): Json | undefined {
  let found = value;
  for (const name of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, name)) return undefined;
    found = (found as Record<string, Json>)[name];
  }
  return found;
}
