import type { TokenCounter } from "./estimate.ts";
import type { ContextTarget } from "./policy.ts";

/**
 * The tokenizer of a model where it is public, that of OpenAI's families; undefined for every other. Loading it takes some
 * 200 ms and 80 MB, so only a prompt that comes near its limit asks for it.
 */
export async function exactCounter({ modelId }: Pick<ContextTarget, "modelId">): Promise<TokenCounter | undefined> {
  const encoding = encodingOf(modelId);
  if (encoding === undefined) return undefined;
  counters[encoding] ??= load(encoding);
  return counters[encoding];
}

type Encoding = "o200k_base" | "cl100k_base";
const counters: Partial<Record<Encoding, Promise<TokenCounter>>> = {};

/** By the model's name, whatever gateway (`openai/gpt-5.2`) or fine-tuning (`ft:gpt-4o:…`) is written in front of it. */
function encodingOf(modelId: string): Encoding | undefined {
  const name = modelId.slice(modelId.lastIndexOf("/") + 1).replace(/^ft:/, "");
  if (/^(gpt-4o|gpt-4\.|gpt-[5-9]|gpt-oss|chatgpt-4o|o[1-9])/.test(name)) return "o200k_base";
  if (/^gpt-(4|3\.5)(-|$)/.test(name)) return "cl100k_base";
  return undefined;
}

async function load(encoding: Encoding): Promise<TokenCounter> {
  const { countTokens } =
    encoding === "o200k_base"
      ? await import("gpt-tokenizer/encoding/o200k_base")
      : await import("gpt-tokenizer/encoding/cl100k_base");
  // What looks like a special token is text here: it is sent as text.
  const asText = { disallowedSpecial: new Set<string>() };
  const countPiece = (piece: string) => countTokens(piece, asText);
  return {
    exact: true,
    count: (text) => piecesOf(text).reduce((total, piece) => total + countPiece(piece), 0),
  };
}

/** Merging takes quadratic time in the length of a word. What has no spaces for so long is no language, and a cut costs a token. */
const longestWord = /\S{400}|\s{400}/g;

function piecesOf(text: string): readonly string[] {
  return text.search(longestWord) < 0 ? [text] : text.replaceAll(longestWord, "$&\0").split("\0");
}
