import type { Prices } from "@benchtop/harness";
import { BenchtopError } from "@benchtop/protocol";
import { filled, type CatalogueModel, type CatalogueProvider } from "./entry.ts";
import { parseElsewhere, sourcesOf } from "./sources.ts";
import { keepCatalogue, keptCatalogue, keyOf } from "./kept.ts";

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

/** The catalogue of one home. */
export interface CatalogueReader {
  /** Read when first asked for. Throws what `parseSources` throws, and `FILE_READ_FAILED`. */
  read(): Promise<Catalogue>;
  /** Ends a reading that is under way; nothing is written afterwards. */
  close(): Promise<void>;
}

/**
 * Only where the operator has descriptions of their own are they read now, so that a mistake in them stops the start. Parsing takes
 * longer than most of a start, and its memory would stay with the daemon, so another process does it, and once for the same
 * files: what was found right is kept in the home.
 */
export async function openCatalogue(home: string): Promise<CatalogueReader> {
  const closing = new AbortController();
  let loading: Promise<Catalogue> | undefined;
  const read = (): Promise<Catalogue> =>
    (loading ??= readCatalogue(home, closing.signal).catch((thrown: unknown) => {
      loading = undefined;
      throw thrown;
    }));
  const { own } = await sourcesOf(home);
  if (own.length > 0) await read();
  return {
    read,
    async close() {
      closing.abort(new BenchtopError("USER_CANCELED", "Benchtop is shutting down."));
      // Whoever waits for it is told.
      await loading?.catch(() => undefined);
    },
  };
}

async function readCatalogue(home: string, signal: AbortSignal): Promise<Catalogue> {
  signal.throwIfAborted();
  const sources = await sourcesOf(home);
  const key = keyOf(sources);
  const kept = await keptCatalogue(home, key);
  if (kept) return kept;
  const catalogue = await parseElsewhere(sources, signal);
  signal.throwIfAborted();
  await keepCatalogue(home, key, catalogue);
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
