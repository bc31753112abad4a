import { ggufFacts, readGgufModel } from "@benchtop/llama/gguf";
import type { ModelFileFacts } from "./descriptor.ts";
import { invalid } from "./refusals.ts";

/**
 * Reads what the files of a model say of themselves, the way llama.cpp would find them: the first, and its other parts by their names.
 * Throws `VALIDATION_FAILED` for what is no sound model of one or several GGUF files, and for files that are no parts of it.
 */
export async function inspectModel(paths: readonly string[], signal: AbortSignal): Promise<ModelFileFacts> {
  const [first] = paths;
  if (first === undefined) throw invalid("A model has at least one file.");
  const { parts, header } = await readGgufModel(first, signal);
  if (parts.length !== paths.length || !paths.every((path) => parts.includes(path))) {
    throw invalid("These files are not the parts of one model, or not all of them. Give the first of them.");
  }
  const facts = ggufFacts(header);
  if (facts.kind === "other") {
    throw invalid(
      "This GGUF file holds no model that answers or embeds: it is a part for images, or data for another program.",
    );
  }
  return {
    kind: facts.kind,
    title: facts.name ?? null,
    licence: facts.licence ?? null,
    architecture: facts.architecture,
    parameters: facts.parameters,
    contextTokens: facts.contextTokens ?? null,
    quantization: facts.quantization,
    hasChatTemplate: facts.chatTemplate !== undefined,
    embeds: facts.embeds,
  };
}
