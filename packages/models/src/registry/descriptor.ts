import type { Json } from "@benchtop/protocol";
import type { LocalModelsTable } from "@benchtop/store";

/** Where a model came from, as it is kept. */
export type ModelSource =
  /** `revision` is the commit that the asked one stood for. */
  | {
      readonly type: "huggingface";
      readonly repo: string;
      readonly revision: string;
      readonly files: readonly string[];
    }
  /** Without its query, which may hold a signature. */
  | { readonly type: "url"; readonly url: string }
  | { readonly type: "file"; readonly path: string }
  /** `name:tag` of the Ollama library, and the hash of the manifest that was there. */
  | { readonly type: "ollama"; readonly model: string; readonly digest: string }
  | { readonly type: "quantized"; readonly from: string }
  | { readonly type: "trained"; readonly runId: string; readonly base: string | null }
  /** `from`: where the machine that wrote the bundle had it from. */
  | { readonly type: "bundle"; readonly from: ModelSource }
  | { readonly type: "shipped" };

export interface ModelFile {
  /** Its name in the folder of its model. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Several files of weights are parts of one model. An adapter is applied whenever the model is loaded. */
  readonly role: "weights" | "adapter";
}

/** What a publisher set beside the weights (layers of an Ollama model). */
export interface ModelDefaults {
  /** In Ollama's own template language. */
  readonly template: string | null;
  readonly system: string | null;
  readonly parameters: Readonly<Record<string, Json>>;
}

/** What the files say of themselves. */
export interface ModelFileFacts {
  readonly kind: "model" | "adapter";
  readonly title: string | null;
  readonly licence: string | null;
  readonly architecture: string;
  readonly parameters: number;
  readonly contextTokens: number | null;
  readonly quantization: string;
  readonly hasChatTemplate: boolean;
  /** Made to turn text into vectors. */
  readonly embeds: boolean;
}

/** A model that is installed on this machine. */
export interface LocalModel extends ModelFileFacts {
  readonly name: string;
  readonly source: ModelSource;
  readonly files: readonly ModelFile[];
  /** Of all files. */
  readonly bytes: number;
  /** Of the file; where there are several, of the list of their hashes. */
  readonly sha256: string;
  readonly defaults: ModelDefaults | null;
  readonly pinned: boolean;
  /** Comes with Benchtop: stays, and counts for no quota. */
  readonly shipped: boolean;
  /** Its files were found to be other than those that were installed. */
  readonly damaged: boolean;
  readonly installedAt: string;
  readonly usedAt: string | null;
  /** How it was made; null where it was only copied. */
  readonly manifest: Readonly<Record<string, Json>> | null;
}

/** What is said of a model when it is installed; the rest is read from its files. */
export interface NewModel {
  readonly name: string;
  readonly source: ModelSource;
  readonly manifest?: Readonly<Record<string, Json>> | undefined;
  readonly defaults?: ModelDefaults | undefined;
  /** Where the files say nothing of it. */
  readonly licence?: string | undefined;
  /** Takes the place of the model that has this name; without it, a name that is taken is refused. */
  readonly replace?: boolean | undefined;
}

export type OnProgress = (progress: { readonly bytesDone: number; readonly bytesTotal: number }) => void;

/** A file as its row has it. `changedMs` tells whether anybody has touched it since. */
export interface KeptFile extends ModelFile {
  readonly changedMs: number;
}

/** A row, read. */
export interface KeptModel {
  readonly id: string;
  readonly folder: string;
  readonly model: LocalModel;
  readonly files: readonly KeptFile[];
}

export function fromRow(row: LocalModelsTable, sha256: (files: readonly ModelFile[]) => string): KeptModel {
  const files = JSON.parse(row.files) as KeptFile[];
  const model: LocalModel = {
    name: row.name,
    kind: row.kind,
    source: JSON.parse(row.source) as ModelSource,
    files: files.map(({ path, bytes, sha256, role }) => ({ path, bytes, sha256, role })),
    bytes: row.bytes,
    sha256: sha256(files),
    title: row.title,
    licence: row.licence,
    architecture: row.architecture,
    parameters: row.parameters,
    contextTokens: row.context_tokens,
    quantization: row.quantization,
    hasChatTemplate: row.has_chat_template === 1,
    embeds: row.embeds === 1,
    defaults: row.defaults === null ? null : (JSON.parse(row.defaults) as ModelDefaults),
    pinned: row.pinned === 1,
    shipped: false,
    damaged: row.damaged === 1,
    installedAt: row.installed_at,
    usedAt: row.used_at,
    manifest: row.manifest === null ? null : (JSON.parse(row.manifest) as Record<string, Json>),
  };
  return { id: row.id, folder: row.folder, model, files };
}

export function toRow(
  place: { readonly id: string; readonly installation: string; readonly folder: string },
  { name, source, manifest, defaults, licence }: NewModel,
  facts: ModelFileFacts,
  files: readonly KeptFile[],
): LocalModelsTable {
  return {
    ...place,
    name,
    state: "installing",
    kind: facts.kind,
    source: JSON.stringify(source),
    files: JSON.stringify(files),
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    title: facts.title,
    licence: facts.licence ?? licence ?? null,
    architecture: facts.architecture,
    parameters: facts.parameters,
    context_tokens: facts.contextTokens,
    quantization: facts.quantization,
    has_chat_template: facts.hasChatTemplate ? 1 : 0,
    embeds: facts.embeds ? 1 : 0,
    defaults: defaults === undefined ? null : JSON.stringify(defaults),
    manifest: manifest === undefined ? null : JSON.stringify(manifest),
    pinned: 0,
    damaged: 0,
    installed_at: new Date().toISOString(),
    used_at: null,
  };
}
