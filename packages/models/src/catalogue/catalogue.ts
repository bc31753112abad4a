import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Prices } from "@benchtop/harness";
import { BenchtopError } from "@benchtop/protocol";
import {
  contradictions,
  filled,
  ProviderChange,
  ProviderEntry,
  type CatalogueModel,
  type CatalogueProvider,
} from "./entry.ts";
import {
  isFaults,
  maxFileBytes,
  problemsOf,
  readProviderFile,
  type Fault,
  type WrittenEntry,
} from "./provider-file.ts";

/** What is known of inference providers: the one source of their addresses, hosts, models, prices and abilities. */
export interface Catalogue {
  /** In the order of the files, those of the operator last. */
  readonly providers: readonly CatalogueProvider[];
}

/** What is known of one model. What is absent is not known. */
export interface ModelFacts {
  readonly contextTokens?: number | undefined;
  readonly maxOutputTokens?: number | undefined;
  readonly prices?: Prices | undefined;
  readonly capabilities?: CatalogueModel["capabilities"] | undefined;
}

/**
 * Reads `*.yaml` of the folder that ships with Benchtop and then of `$BENCHTOP_HOME/ssot/providers/ai`, where an entry with a
 * known id changes the fields and models that it names. Throws `VALIDATION_FAILED` naming file, line and field of all that is
 * wrong, and `FILE_READ_FAILED`.
 */
export async function loadCatalogue(home: string, shippedFolder = shipped): Promise<Catalogue> {
  const providers = new Map<string, CatalogueProvider>();
  const faults: Fault[] = [];
  for (const folder of [shippedFolder, ownFolder(home)]) {
    /** Where each id of this folder was first named. */
    const named = new Map<string, string>();
    for (const file of await filesOf(folder)) {
      const written = await readProviderFile(file, await read(file));
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

/**
 * The catalogue of a home, read when first asked for: parsing takes longer than most of a start. Only where the operator
 * has descriptions of their own is it read now, so that a mistake in them stops the start.
 */
export async function catalogueOf(home: string): Promise<() => Promise<Catalogue>> {
  let loading: Promise<Catalogue> | undefined;
  const catalogue = (): Promise<Catalogue> =>
    (loading ??= loadCatalogue(home).catch((thrown: unknown) => {
      loading = undefined;
      throw thrown;
    }));
  if ((await filesOf(ownFolder(home))).length > 0) await catalogue();
  return catalogue;
}

/**
 * The entry that a configured provider is one of: by its host, of several on one host that of the same address or protocol. On
 * loopback, where any server may listen on any port, by the whole address.
 */
export function entryFor(
  catalogue: Catalogue,
  provider: Pick<CatalogueProvider, "kind" | "baseUrl" | "local">,
): CatalogueProvider | undefined {
  const found = catalogue.providers.filter((entry) =>
    provider.local
      ? entry.local && entry.baseUrl === provider.baseUrl
      : !entry.local && isHostOf(entry, provider.baseUrl),
  );
  const exact = found.findLast(({ baseUrl, kind }) => baseUrl === provider.baseUrl && kind === provider.kind);
  return exact ?? found.findLast(({ kind }) => kind === provider.kind) ?? found.at(-1);
}

export function factsOf(entry: CatalogueProvider | undefined, modelId: string): ModelFacts | undefined {
  const model = entry?.models.find(({ id }) => id === modelId);
  if (!model) return undefined;
  const { contextTokens, maxOutputTokens, capabilities } = model;
  const { asOf: _, ...prices } = model.prices ?? { asOf: undefined };
  return { contextTokens, maxOutputTokens, capabilities, ...("inputPerMillion" in prices && { prices }) };
}

/** Whether the address is at one of the entry's hosts. A `{part}` stands for one label of a name. */
export function isHostOf({ egressHosts }: CatalogueProvider, baseUrl: string): boolean {
  const host = URL.parse(filled(baseUrl))?.host ?? "";
  return egressHosts.some((pattern) => {
    const [before = "", after] = pattern.split(/\{[a-z]+\}/);
    if (after === undefined) return host === pattern;
    const part = host.slice(before.length, host.length - after.length);
    return host.startsWith(before) && host.endsWith(after) && /^[a-z0-9-]{1,63}$/.test(part);
  });
}

const shipped = join(import.meta.dirname, "../../../../ssot/providers/ai");
const ownFolder = (home: string): string => join(home, "ssot/providers/ai");
const maxFiles = 100;

async function filesOf(folder: string): Promise<string[]> {
  try {
    const names = (await readdir(folder)).filter((name) => /\.ya?ml$/.test(name)).toSorted();
    if (names.length <= maxFiles) return names.map((name) => join(folder, name));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw BenchtopError.from(cause, "FILE_READ_FAILED", { phase: "settings", detail: { path: folder } });
  }
  throw new BenchtopError("VALIDATION_FAILED", `${folder} holds more than ${maxFiles} files.`, { phase: "settings" });
}

/** A file that nobody could have written by hand is not brought into memory to be told so. */
async function read(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    return size <= 4 * maxFileBytes ? await readFile(file, "utf8") : "#".repeat(maxFileBytes + 1);
  } catch (cause) {
    throw BenchtopError.from(cause, "FILE_READ_FAILED", { phase: "settings", detail: { path: file } });
  }
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
