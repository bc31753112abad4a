import { defaultAlignment, type GgufScalarType } from "./layout.ts";
import { ggufLimits as limits } from "./limits.ts";
import { refusal } from "./refusal.ts";

/** A field as it stands in the file. */
export interface FoundField {
  readonly type: GgufScalarType;
  readonly array: boolean;
  /** 1 for single values. */
  readonly length: number;
  /** Undefined where they were too many to be kept. */
  readonly values: readonly (string | number | bigint | boolean)[] | undefined;
}

/**
 * Checks the fields that llama.cpp takes at their word: it reads as many scores and types as there are tokens, wherever that
 * leads, and follows a template as deep as it goes. Returns the alignment of the tensors. Throws `VALIDATION_FAILED`.
 *
 * What a template does when it is filled in cannot be known before: it may loop for years. Whoever fills it in has to watch.
 */
export function checkMetadata(fields: ReadonlyMap<string, FoundField>, tensors: number): number {
  checkVocabulary(fields);
  checkLayers(fields, tensors);
  checkTemplates(fields);
  return alignmentOf(fields);
}

function checkVocabulary(fields: ReadonlyMap<string, FoundField>): void {
  const tokens = fields.get("tokenizer.ggml.tokens");
  const length = tokens?.length ?? 0;
  if (tokens && length === 0) throw refusal("The vocabulary of the GGUF file has no tokens.");
  expectArray(fields, "tokenizer.ggml.tokens", ["string"], 0);
  expectArray(fields, "tokenizer.ggml.merges", ["string"], 0);
  expectArray(fields, "tokenizer.ggml.scores", ["f32"], length);
  expectArray(fields, "tokenizer.ggml.token_type", ["i32", "u32"], length);
  expectArray(fields, "tokenizer.ggml.precompiled_charsmap", ["u8", "i8"], 0);
}

function expectArray(
  fields: ReadonlyMap<string, FoundField>,
  key: string,
  types: readonly GgufScalarType[],
  atLeast: number,
): void {
  const field = fields.get(key);
  if (!field) return;
  if (!field.array || !types.includes(field.type)) {
    throw refusal(`The field \`${key}\` has to be an array of ${types.join(" or ")}.`);
  }
  if (field.length < atLeast) {
    throw refusal(`The field \`${key}\` has ${field.length} elements for ${atLeast} tokens.`);
  }
}

function checkLayers(fields: ReadonlyMap<string, FoundField>, tensors: number): void {
  const architecture = fields.get("general.architecture");
  if (!architecture) return;
  const [name] = architecture.values ?? [];
  if (architecture.array || typeof name !== "string" || !/^[a-zA-Z0-9_.-]{1,64}$/.test(name)) {
    throw refusal("The field `general.architecture` is no name of an architecture.");
  }
  const layers = fields.get(`${name}.block_count`)?.values?.[0];
  if (typeof layers !== "number" && typeof layers !== "bigint") return;
  if (layers === 0 && tensors > 0) throw refusal("The GGUF file says that its model has no layers.");
  if (layers > limits.layers) throw refusal(`The GGUF file says that it has more than ${limits.layers} layers.`);
  // Every layer of a whole model has a tensor at least; adapters and parts of a model need not have those of all.
  const kind = fields.get("general.type")?.values?.[0] ?? "model";
  if (kind === "model" && tensors > 0 && layers > tensors && !fields.has("split.count")) {
    throw refusal(`The GGUF file says that it has ${layers} layers, and has ${tensors} tensors.`);
  }
}

function checkTemplates(fields: ReadonlyMap<string, FoundField>): void {
  for (const [key, field] of fields) {
    if (!/^tokenizer\.chat_template(\.|$)/.test(key)) continue;
    const [template] = field.values ?? [];
    if (field.array || typeof template !== "string") throw refusal(`The field \`${key}\` has to be a text.`);
    if (template.length > limits.templateLength) {
      throw refusal(
        `The chat template in \`${key}\` is longer than ${limits.templateLength} characters; no known one is.`,
      );
    }
    if (depthOf(template) > limits.templateDepth) {
      throw refusal(`The chat template in \`${key}\` has more than ${limits.templateDepth} blocks in one another.`);
    }
  }
}

/** How many blocks of a Jinja template lie in one another at most, or brackets within one expression. */
function depthOf(template: string): number {
  let depth = 0;
  let deepest = 0;
  for (let at = template.indexOf("{"); at >= 0; at = template.indexOf("{", at)) {
    const close = template[at + 1] === "%" ? "%}" : template[at + 1] === "{" ? "}}" : undefined;
    const end = close === undefined ? at + 1 : template.indexOf(close, at + 2);
    if (end < 0) break;
    const inside = template.slice(at + 2, end);
    const word = close === "%}" ? /^[-+]?\s*(\w+)/.exec(inside)?.[1] : undefined;
    if (word?.startsWith("end")) depth = Math.max(0, depth - 1);
    else if (word !== undefined && blockWords.has(word)) depth += 1;
    deepest = Math.max(deepest, depth, close === undefined ? 0 : bracketsIn(inside));
    at = end;
  }
  return deepest;
}

const blockWords = new Set(["if", "for", "macro", "call", "filter", "block", "generation"]);

function bracketsIn(expression: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [bracket] of expression.matchAll(/[()[\]{}]/g)) {
    depth = Math.max(0, depth + ("([{".includes(bracket) ? 1 : -1));
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

function alignmentOf(fields: ReadonlyMap<string, FoundField>): number {
  const field = fields.get("general.alignment");
  if (!field) return defaultAlignment;
  const [value] = field.values ?? [];
  const power = typeof value === "number" && value >= defaultAlignment && Number.isInteger(Math.log2(value));
  if (field.type !== "u32" || field.array || !power) {
    // llama.cpp gives up its process at less.
    throw refusal(`The field \`general.alignment\` has to be a u32 and a power of two from ${defaultAlignment} on.`);
  }
  return value;
}
