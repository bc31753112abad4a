/** Samples of one metric: a value for each set of labels. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export type Samples = ReadonlyMap<string, readonly Sample[]>;

/** More lines than a server of models writes. */
const mostLines = 100_000;

/**
 * Reads the text format of Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/). Comments and lines that
 * are no samples are passed over.
 */
export function parsePrometheus(text: string): Samples {
  const samples = new Map<string, Sample[]>();
  for (const line of text.split("\n", mostLines)) {
    const [, name, labels = "", number] = sampleLine.exec(line.trim()) ?? [];
    if (name === undefined || number === undefined) continue;
    const value = valueOf(number);
    if (Number.isNaN(value)) continue;
    const sample = { labels: labelsOf(labels), value };
    const known = samples.get(name);
    if (known) known.push(sample);
    else samples.set(name, [sample]);
  }
  return samples;
}

/** The sum over all labels; undefined where there is no sample. */
export function sumOf(samples: Samples, ...names: readonly string[]): number | undefined {
  const found = names.map((name) => samples.get(name)).find((list) => list !== undefined);
  return found?.reduce((sum, { value }) => sum + value, 0);
}

// Labels hold quoted text in which braces and escaped quotes may stand.
const sampleLine = /^([a-zA-Z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?\s+(\S+)(?:\s+-?\d+)?$/;
const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

function labelsOf(text: string): Readonly<Record<string, string>> {
  const pairs = [...text.matchAll(label)].map(([, name = "", value = ""]) => [name, unescaped(value)] as const);
  return Object.fromEntries(pairs);
}

function unescaped(value: string): string {
  return value.replaceAll(/\\(.)/g, (_, character: string) => (character === "n" ? "\n" : character));
}

function valueOf(text: string): number {
  if (/^[+-]?inf$/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  return /^[+-]?(\d|\.\d)/.test(text) ? Number(text) : Number.NaN;
}
