import type { Json, Message } from "@benchtop/protocol";
import { BenchtopError } from "@benchtop/protocol/errors";
import { requestLimits as limits } from "./limits.ts";
import type { LlamaChatRequest, LlamaCompletionRequest, LlamaModelOptions, SamplingOptions } from "./llama-model.ts";

/**
 * Counts and sizes, before anything of a request goes to native code. What a model can do with it is found out where the
 * model is. All throw `VALIDATION_FAILED`, and `CONTEXT_EXHAUSTED` for what is far too long.
 */
export function checkChat(request: LlamaChatRequest, contextTokens: number): void {
  if (request.messages.length === 0) throw refused("A chat needs at least one message.");
  atMost("messages", request.messages.length, limits.messages);
  checkFits(
    request.messages.reduce((sum, message) => sum + lengthOf(message), 0),
    contextTokens,
  );
  checkTools(request.tools ?? []);
  if (request.schema !== undefined) checkSchema(request.schema, "The schema of the answer");
  if (request.grammar !== undefined) checkGrammar(request.grammar);
  checkSampling(request);
  const asked = [request.tools?.length ? "tools" : "", request.schema === undefined ? "" : "a schema"];
  const given = [...asked, request.grammar === undefined ? "" : "a grammar"].filter((each) => each !== "");
  if (given.length > 1)
    throw refused(`A request has ${given.join(" and ")}: a local model does one of them at a time.`);
}

export function checkCompletion(request: LlamaCompletionRequest, contextTokens: number): void {
  if (request.prompt === "") throw refused("The prompt is empty.");
  checkFits(request.prompt.length, contextTokens);
  if (request.grammar !== undefined) checkGrammar(request.grammar);
  checkSampling(request);
}

export function checkTexts(texts: readonly string[], contextTokens: number): void {
  atMost("texts to embed", texts.length, limits.embeddedTexts);
  const empty = texts.indexOf("");
  if (empty >= 0) throw refused(`Text ${empty + 1} of ${texts.length} is empty: there is nothing to embed.`);
  checkText(texts.reduce((sum, text) => sum + text.length, 0));
  for (const text of texts) checkFits(text.length, contextTokens);
}

export function checkText(length: number): void {
  atMost("characters", length, limits.textLength);
}

export function checkOptions(options: LlamaModelOptions): void {
  const whole = [
    ["contextTokens", options.contextTokens, 16, limits.contextTokens],
    ["parallel", options.parallel, 1, limits.parallel],
    ["threads", options.threads, 1, 1024],
    ["gpuLayers", options.gpuLayers === "auto" ? undefined : options.gpuLayers, 0, 100_000],
  ] as const;
  for (const [name, value, least, most] of whole) {
    if (value !== undefined && !(Number.isInteger(value) && value >= least && value <= most)) {
      throw refused(`${name} has to be a whole number from ${least} to ${most}.`);
    }
  }
  atMost("adapters", options.adapters?.length ?? 0, limits.adapters);
  for (const { scale } of options.adapters ?? []) {
    if (scale !== undefined && !Number.isFinite(scale)) throw refused("The scale of an adapter has to be a number.");
  }
  if (options.embeds && options.adapters?.length) throw refused("A model that embeds takes no adapters.");
}

export function refused(message: string, detail?: Readonly<Record<string, string | number>>): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, detail && { detail });
}

/** Before anything is tokenized, which takes time where others wait: so many characters are more tokens than there is room for. */
function checkFits(length: number, contextTokens: number): void {
  checkText(length);
  if (length <= contextTokens * limits.tokenLength) return;
  throw new BenchtopError(
    "CONTEXT_EXHAUSTED",
    `A text of ${length} characters does not fit into the context of ${contextTokens} tokens that this model was loaded with. Shorten it, or load the model with a larger context.`,
    { detail: { characters: length, contextTokens } },
  );
}

function checkTools(tools: NonNullable<LlamaChatRequest["tools"]>): void {
  atMost("tools", tools.length, limits.tools);
  const names = new Set<string>();
  for (const { name, inputSchema } of tools) {
    // A space or a line break ends a name where a model writes calls.
    if (!/^[\p{L}\p{N}_.:/-]+$/u.test(name) || name.length > limits.toolNameLength) {
      throw refused("The name of a tool has to be letters, digits and any of _ . : / - (128 at most).");
    }
    if (names.has(name)) throw refused(`Two tools are called "${name}".`);
    names.add(name);
    checkSchema(inputSchema, `The schema of the tool "${name}"`);
  }
}

function checkSchema(schema: Json, what: string): void {
  if (depthOf(schema) > limits.schemaDepth) throw refused(`${what} is nested more than ${limits.schemaDepth} deep.`);
  const { length } = JSON.stringify(schema);
  if (length > limits.schemaLength) throw refused(`${what} is longer than ${limits.schemaLength} characters.`);
}

/** llama.cpp reads a grammar, and follows it, by functions that call themselves: what is too deep for them is refused here. */
function checkGrammar(grammar: string): void {
  atMost("characters of a grammar", grammar.length, limits.grammarLength);
  if (!/^\s*root\s*::=/m.test(grammar)) throw refused('A grammar has to have a rule called "root".');
  atMost("rules of a grammar", grammar.split("::=").length - 1, limits.grammarRules);
  let depth = 0;
  let deepest = 0;
  for (const [found] of grammar.matchAll(/"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|#[^\n]*|[()]|\{[^}]*\}/g)) {
    if (found === "(") deepest = Math.max(deepest, ++depth);
    else if (found === ")") depth -= 1;
    else if (found.startsWith("{")) checkRepetition(found);
  }
  if (deepest > limits.grammarDepth) throw refused(`A grammar has groups more than ${limits.grammarDepth} deep.`);
}

function checkRepetition(range: string): void {
  const most = Math.max(...(range.match(/\d+/g) ?? []).map(Number), 0);
  if (most > limits.repetitions) throw refused(`A grammar repeats something more than ${limits.repetitions} times.`);
}

function checkSampling(options: SamplingOptions): void {
  inRange("temperature", options.temperature, 0, 100);
  inRange("topP", options.topP, 0, 1);
  inRange("minP", options.minP, 0, 1);
  inRange("repeatPenalty", options.repeatPenalty, 0.01, 100);
  wholeInRange("topK", options.topK, 0, 1_000_000);
  wholeInRange("seed", options.seed, 0, 2 ** 32 - 1);
  wholeInRange("maxOutputTokens", options.maxOutputTokens, 1, limits.contextTokens);
  const stops = options.stop ?? [];
  atMost("stop texts", stops.length, limits.stops);
  if (stops.some((stop) => stop === "" || stop.length > limits.stopLength)) {
    throw refused(`A stop text has to have 1 to ${limits.stopLength} characters.`);
  }
}

function inRange(name: string, value: number | undefined, least: number, most: number): void {
  if (value !== undefined && !(value >= least && value <= most)) {
    throw refused(`${name} has to be a number from ${least} to ${most}.`);
  }
}

function wholeInRange(name: string, value: number | undefined, least: number, most: number): void {
  inRange(name, value, least, most);
  if (value !== undefined && !Number.isInteger(value)) throw refused(`${name} has to be a whole number.`);
}

function lengthOf(message: Message): number {
  if (message.role !== "assistant") return message.content.length;
  const calls = message.toolCalls?.reduce((sum, call) => sum + (JSON.stringify(call.arguments) ?? "").length, 0) ?? 0;
  return message.content.length + (message.reasoning?.length ?? 0) + calls;
}

/** Level by level, so that no depth is too deep to be counted. */
function depthOf(value: Json): number {
  let level: Json[] = [value];
  let depth = 0;
  while (level.length > 0 && depth <= limits.schemaDepth) {
    depth += 1;
    level = level.flatMap((each) => (typeof each === "object" && each !== null ? Object.values(each) : []));
  }
  return depth;
}

function atMost(what: string, count: number, most: number): void {
  if (count > most) throw refused(`There are ${count} ${what}; the limit is ${most}.`, { count, limit: most });
}
