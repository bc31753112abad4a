import { z } from "zod";
import type { ModelDefaults, ModelFile } from "../descriptor.ts";
import { invalid, refusal } from "../refusals.ts";

/** A model of an Ollama library: `library/qwen2.5:7b`. */
export interface OllamaName {
  readonly namespace: string;
  readonly name: string;
  readonly tag: string;
}

/** Reads `[NAMESPACE/]NAME[:TAG]`. Throws `VALIDATION_FAILED`; nothing that passes leads out of a folder or a path of a URL. */
export function parseOllamaName(text: string): OllamaName {
  const [, namespace = "library", name = "", tag = "latest"] =
    /^(?:([a-zA-Z0-9][\w.-]{0,79})\/)?([a-zA-Z0-9][\w.-]{0,79})(?::([a-zA-Z0-9_][\w.-]{0,79}))?$/.exec(text.trim()) ??
    [];
  if (name === "") throw invalid("A model of Ollama is written NAME or NAME:TAG, such as qwen2.5:7b.");
  return { namespace, name, tag };
}

export function ollamaNameText({ namespace, name, tag }: OllamaName): string {
  return `${namespace === "library" ? "" : `${namespace}/`}${name}:${tag}`;
}

export interface OllamaLayer {
  readonly sha256: string;
  readonly bytes: number;
}

/** What of a manifest makes a model for llama.cpp. */
export interface OllamaModel {
  readonly files: readonly (OllamaLayer & { readonly role: ModelFile["role"] })[];
  /** Small texts, of which `defaultsFrom` makes what they mean. */
  readonly texts: readonly (OllamaLayer & { readonly kind: TextKind })[];
  /** Kinds of layers that nothing here uses. */
  readonly leftOut: readonly string[];
}

const textKinds = ["template", "system", "params", "license"] as const;
type TextKind = (typeof textKinds)[number];

const Manifest = z.object({
  schemaVersion: z.literal(2),
  layers: z
    .array(
      z.object({
        mediaType: z.string(),
        digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
        size: z.int().nonnegative(),
      }),
    )
    .max(64),
});

const prefix = "application/vnd.ollama.image.";
/** Licences, the longest of them, have 60 kB. */
const maxTextBytes = 1024 * 1024;

/** Reads a manifest, which comes from a network or somebody's disk. Throws `VALIDATION_FAILED`. */
export function parseOllamaManifest(text: string): OllamaModel {
  const parsed = Manifest.safeParse(jsonOf(text));
  if (!parsed.success) throw invalid("That is no manifest of an Ollama model.");
  const files: (OllamaLayer & { role: ModelFile["role"] })[] = [];
  const texts: (OllamaLayer & { kind: TextKind })[] = [];
  const leftOut = new Set<string>();
  for (const { mediaType, digest, size } of parsed.data.layers) {
    const layer = { sha256: digest.slice("sha256:".length), bytes: size };
    const kind = mediaType.startsWith(prefix) ? mediaType.slice(prefix.length) : mediaType;
    const textKind = textKinds.find((each) => each === kind);
    if (kind === "model") files.unshift({ ...layer, role: "weights" });
    else if (kind === "adapter") files.push({ ...layer, role: "adapter" });
    else if (textKind && size <= maxTextBytes) texts.push({ ...layer, kind: textKind });
    else leftOut.add(kind);
  }
  const weights = files.filter(({ role }) => role === "weights").length;
  if (weights === 1) return { files, texts, leftOut: [...leftOut] };
  throw invalid(
    weights === 0
      ? "This model of Ollama holds no GGUF file: it runs at Ollama alone, or in the cloud."
      : "This model of Ollama is in several files, which cannot be taken apart. Install it from Hugging Face.",
  );
}

/** What the texts of a manifest say, by their kinds. Texts that are no JSON where JSON is expected say nothing. */
export function defaultsFrom(texts: ReadonlyMap<TextKind, string>): {
  readonly defaults: ModelDefaults;
  readonly licence: string | undefined;
} {
  const parameters = z.record(z.string(), z.json()).safeParse(jsonOf(texts.get("params") ?? "{}"));
  const licence = texts
    .get("license")
    ?.split("\n")
    .map((line) => line.trim())
    .find((line) => line !== "");
  return {
    defaults: {
      template: texts.get("template") ?? null,
      system: texts.get("system") ?? null,
      parameters: parameters.data ?? {},
    },
    licence: licence?.slice(0, 200),
  };
}

/** Reads the small texts of a model, one after the other, and checks what they are. */
export async function readTexts(
  { texts }: OllamaModel,
  read: (layer: OllamaLayer) => Promise<Uint8Array>,
  sha256Of: (bytes: Uint8Array) => string,
): Promise<Map<TextKind, string>> {
  const found = new Map<TextKind, string>();
  for (const layer of texts) {
    const bytes = await read(layer);
    if (sha256Of(bytes) !== layer.sha256) {
      throw refusal("PROVIDER_UNAVAILABLE", `The ${layer.kind} of this Ollama model is not what its manifest says.`);
    }
    const before = found.get(layer.kind);
    const text = new TextDecoder().decode(bytes);
    found.set(layer.kind, before === undefined ? text : `${before}\n\n${text}`);
  }
  return found;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
