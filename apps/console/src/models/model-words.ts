import type { LocalModel, RunningModel } from "@benchtop/operations";

/** `1.1M`, `494M`, `7.6B`: parameters as names of models have them. */
export function formatParameters(count: number): string {
  if (count < 1_000) return String(count);
  const [value, unit] =
    count < 999_500 ? [count / 1e3, "K"] : count < 999_500_000 ? [count / 1e6, "M"] : [count / 1e9, "B"];
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)}${unit}`;
}

/** `128k`, `2,048`: tokens of a context. */
export function formatContext(tokens: number): string {
  return tokens >= 10_000 ? `${Math.round(tokens / 1024)}k` : tokens.toLocaleString("en-US");
}

/** What a model is, where it is no plain one that answers. */
export function kindOf({ shipped, kind, embeds }: LocalModel): string | undefined {
  if (shipped) return "comes with Benchtop";
  if (kind === "adapter") return "adapter";
  return embeds ? "turns text into vectors" : undefined;
}

/** What it is and where it came from, in one line. */
export function aboutModel(model: LocalModel): string {
  const parts = [kindOf(model), model.architecture, model.shipped ? undefined : placeOf(model.source)];
  return parts.filter((part) => part !== undefined && part !== "").join(" · ");
}

const whole: ReadonlySet<string> = new Set(["F32", "F16", "BF16"]);

/** Of a file of the machine its name: the folders before it say little in a line. */
function placeOf(source: string): string {
  return /^(\/|[A-Za-z]:[\\/])/.test(source) ? `from ${source.split(/[\\/]/).at(-1) ?? source}` : source;
}

/** Weights that have lost nothing yet: what copies are made from. */
export function isWhole({ quantization }: LocalModel): boolean {
  return whole.has(quantization.toUpperCase());
}

/** Why no smaller copy can be made of it, or undefined. */
export function whyNotQuantized(model: LocalModel): string | undefined {
  if (model.kind === "adapter") return "An adapter is small already.";
  if (!isWhole(model)) return `It is quantized already (${model.quantization}). Take its F16 version.`;
  return undefined;
}

/** Why training cannot begin with it, or undefined. */
export function whyNotTrained(model: LocalModel): string | undefined {
  if (model.kind === "adapter") return "An adapter is not trained further.";
  if (!isWhole(model)) return `Its weights are ${model.quantization}; training takes F32, F16 or BF16.`;
  if (model.architecture !== "llama") return `Its architecture is ${model.architecture}; the trainer knows llama.`;
  return undefined;
}

export function whyNotRemoved(model: LocalModel, running: RunningModel | undefined): string | undefined {
  if (model.shipped) return "It comes with Benchtop and stays.";
  if (model.pinned) return "It is pinned. Unpin it first.";
  if (running !== undefined && running.state !== "failed") return "It is loaded. Unload it first.";
  return undefined;
}

/** Bits that a weight takes, about; `_M` mixtures keep some matrices finer. */
export const bitsPerWeight = {
  F16: 16,
  BF16: 16,
  Q8_0: 8.5,
  Q6_K: 6.6,
  Q5_K_M: 5.7,
  Q4_K_M: 4.9,
  Q4_0: 4.6,
} as const;
