import { BenchtopError } from "@benchtop/protocol";
import type { Catalogue } from "./catalogue.ts";
import { contradictions, ProviderChange, ProviderEntry, type CatalogueModel, type CatalogueProvider } from "./entry.ts";
import { isFaults, problemsOf, readProviderFile, type Fault, type WrittenEntry } from "./provider-file.ts";
import type { Sources } from "./sources.ts";

/**
 * Reads what ships and then what is the operator's own, where an entry with a known id changes the fields and models that it
 * names. Throws `VALIDATION_FAILED` naming file, line and field of all that is wrong.
 */
export async function parseSources({ shipped, own }: Sources): Promise<Catalogue> {
  const providers = new Map<string, CatalogueProvider>();
  const faults: Fault[] = [];
  for (const sources of [shipped, own]) {
    /** Where each id of these was first named. */
    const named = new Map<string, string>();
    for (const { file, text } of sources) {
      const written = await readProviderFile(file, text);
      if (isFaults(written)) {
        faults.push(...written);
        continue;
      }
      for (const entry of written) {
        const id = String(entry.value["id"]);
        const before = named.get(id);
        if (before !== undefined) {
          faults.push(...entry.faultsOf([{ path: ["id"], message: `names a provider that is in ${before} already` }]));
          continue;
        }
        named.set(id, file);
        const merged = merge(entry, providers.get(id));
        if ("faults" in merged) faults.push(...merged.faults);
        else providers.set(id, merged.provider);
      }
    }
  }
  if (faults.length > 0) throw wrong(faults);
  return { providers: [...providers.values()] };
}

/** The entry, on top of what was known before of the same provider. */
function merge(
  entry: WrittenEntry,
  known: CatalogueProvider | undefined,
): { readonly provider: CatalogueProvider } | { readonly faults: Fault[] } {
  const parsed = (known ? ProviderChange : ProviderEntry).safeParse(entry.value);
  if (!parsed.success) return { faults: entry.faultsOf(problemsOf(parsed.error)) };
  const change = parsed.data;
  // Only fields that are there are in it. Models are judged as they were written: one that is there twice would vanish.
  const changed = { ...known, ...change, models: change.models ?? [] } as CatalogueProvider;
  const faults = entry.faultsOf(contradictions(changed));
  if (faults.length > 0) return { faults };
  return { provider: { ...changed, models: withModels(known?.models ?? [], changed.models) } };
}

function withModels(known: readonly CatalogueModel[], changed: readonly CatalogueModel[]): CatalogueModel[] {
  return [...new Map([...known, ...changed].map((model) => [model.id, model])).values()];
}

function wrong(faults: readonly Fault[]): BenchtopError {
  const [first] = faults;
  const told = faults
    .slice(0, 20)
    .map(({ file, line, path, message }) => `${file}:${line}: ${fieldOf(path)} ${message}`);
  const more = faults.length > told.length ? [`and ${faults.length - told.length} more`] : [];
  return new BenchtopError(
    "VALIDATION_FAILED",
    `Descriptions of providers are not right.\n${[...told, ...more].join("\n")}`,
    {
      phase: "settings",
      subphase: "provider_catalogue",
      actions: [],
      detail: { path: first?.file ?? "", line: first?.line ?? 0, field: fieldOf(first?.path ?? []) },
    },
  );
}

/** `providers[2].models[0].prices`, as a person would look for it. */
function fieldOf(path: readonly (string | number)[]): string {
  const text = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`)).join("");
  return text === "" ? "the file" : text.replace(/^\./, "");
}
