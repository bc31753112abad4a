import type { GgufFacts, GgufHeader, GgufTensor } from "./gguf.ts";
import { fileTypes } from "./layout.ts";
import { numberIn, textIn } from "./metadata.ts";
import { refusal } from "./refusal.ts";

/**
 * The facts of a model, from its header. Texts come from whoever made the file: they are clipped, and nothing is left in them
 * that a terminal would act on. Throws `VALIDATION_FAILED` for a model that does not say its architecture.
 */
export function ggufFacts(header: GgufHeader): GgufFacts {
  const kind = kindOf(header);
  const architecture = textIn(header, "general.architecture") ?? "unknown";
  if (kind !== "other" && architecture === "unknown") {
    throw refusal("The GGUF file does not say which architecture its model has, so nothing can run it.");
  }
  const template = header.metadata.get("tokenizer.chat_template");
  return {
    kind,
    architecture,
    name: shown(textIn(header, "general.name"), shownLength),
    licence: shown(textIn(header, "general.license"), shownLength),
    parameters: header.tensors.reduce((sum, tensor) => sum + weightsOf(tensor), 0),
    contextTokens: numberIn(header, `${architecture}.context_length`),
    embeddingLength: numberIn(header, `${architecture}.embedding_length`),
    layers: numberIn(header, `${architecture}.block_count`),
    quantization: quantizationOf(header),
    vocabularySize: vocabularySizeOf(header, architecture),
    tokenizer: shown(textIn(header, "tokenizer.ggml.model"), shownLength),
    chatTemplate: typeof template === "string" ? shownLines(template) : undefined,
    embeds: embeds(header, architecture),
  };
}

/** Characters of a name or a licence that are kept. */
const shownLength = 200;

function kindOf(header: GgufHeader): GgufFacts["kind"] {
  const type = textIn(header, "general.type");
  if (type === "adapter" || header.metadata.has("adapter.type")) return "adapter";
  const runs = type === undefined || type === "model";
  return runs && header.tensors.length > 0 && textIn(header, "general.architecture") !== "clip" ? "model" : "other";
}

export function weightsOf(tensor: GgufTensor): number {
  return tensor.shape.reduce((product, length) => product * length, 1);
}

function quantizationOf(header: GgufHeader): string {
  const named = fileTypes[numberIn(header, "general.file_type") ?? -1];
  if (named !== undefined) return named;
  const weights = new Map<string, number>();
  for (const tensor of header.tensors) {
    weights.set(tensor.type, (weights.get(tensor.type) ?? 0) + weightsOf(tensor));
  }
  const [most] = [...weights].toSorted(([, one], [, other]) => other - one);
  return most?.[0] ?? "none";
}

function vocabularySizeOf(header: GgufHeader, architecture: string): number | undefined {
  const tokens = header.metadata.get("tokenizer.ggml.tokens");
  if (typeof tokens === "object") return tokens.length;
  return numberIn(header, `${architecture}.vocab_size`);
}

/** Encoders have no next token to say; a model that says how to pool was made to embed, unless it ranks (4). */
function embeds(header: GgufHeader, architecture: string): boolean {
  const pooling = numberIn(header, `${architecture}.pooling_type`);
  if (pooling !== undefined) return pooling > 0 && pooling < 4;
  return isEncoder(architecture);
}

export function isEncoder(architecture: string): boolean {
  return encoders.has(architecture);
}

const encoders = new Set([
  "bert",
  "nomic-bert",
  "nomic-bert-moe",
  "neo-bert",
  "modern-bert",
  "eurobert",
  "jina-bert-v2",
  "jina-bert-v3",
  "gemma-embedding",
  "llama-embed",
  "t5encoder",
]);

/** One line. Control characters, and what turns the direction of text around, do not belong in a name. */
function shown(text: string | undefined, most: number): string | undefined {
  const line = text?.replace(invisible, " ").replace(/\s+/g, " ").trim();
  return line === undefined || line === "" ? undefined : clipped(line, most);
}

/** A template keeps its lines and tabs: it is to be looked at here; llama.cpp reads its own. */
function shownLines(text: string): string {
  return text.replace(invisible, (found) => (/[\n\t]/.test(found) ? found : ""));
}

// oxlint-disable-next-line no-control-regex -- Control characters are what is taken away.
const invisible = /[\0-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Cs}/gu;

function clipped(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1).replace(/\p{Cs}$/u, "")}…`;
}
