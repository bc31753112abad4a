import { recordsOf, type Dialect } from "./records.ts";

const candidates = [",", ";", "\t", "|", ":", "^", "~"];
/** Units of the beginning that decide. */
const sample = 64_000;

/** What divides the fields of a file. The likeliest reading wins; a comma where nothing tells. */
export function dialectOf(units: string, known: string | null): Dialect {
  const beginning = units.slice(0, sample);
  const named = known ?? /^sep=([^\r\n])\r?(?:\n|$)/i.exec(beginning)?.[1];
  const delimiters = named ? [named] : candidates;
  let best = { dialect: { delimiter: named ?? ",", quote: '"' } as Dialect, score: 0 };
  for (const delimiter of delimiters) {
    if (!beginning.includes(delimiter)) continue;
    for (const quote of ['"', "'"]) {
      const score = scoreOf(beginning, { delimiter, quote }, units.length > sample);
      if (score > best.score) best = { dialect: { delimiter, quote }, score };
    }
  }
  return best.dialect;
}

/** Files divide well when their records agree on how many fields there are, and there are some. */
function scoreOf(units: string, dialect: Dialect, cut: boolean): number {
  const { records, openQuote } = recordsOf(units, dialect, 5000);
  // The sample ends within a record.
  const whole = (cut && records.length > 1 ? records.slice(0, -1) : records).slice(0, 200);
  const counts = new Map<number, number>();
  let [fields, quoted, clean, otherwise] = [0, 0, 0, 0];
  for (const record of whole) {
    if (record.start === record.end) continue;
    counts.set(record.fields.length, (counts.get(record.fields.length) ?? 0) + 1);
    for (const { start, end } of record.fields) {
      if (start < end) fields++;
      if (units[start] === '"') otherwise++;
      if (units[start] !== dialect.quote) continue;
      quoted++;
      if (end - start > 1 && units[end - 1] === dialect.quote) clean++;
    }
  }
  const rows = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const [common = 1, times = 0] = [...counts].toSorted((a, b) => b[1] - a[1])[0] ?? [];
  if (rows === 0 || common < 2) return 0;
  const agreement = times / rows;
  // Apostrophes are quotes only where they are so throughout: `it's` is a word.
  if (dialect.quote === "'" && (quoted === 0 || clean < quoted || quoted < fields / 4 || otherwise > 0)) return 0;
  const quotes = quoted === 0 ? 1 : clean / quoted;
  const rank = 1 - candidates.indexOf(dialect.delimiter) * 0.02;
  const bonus = dialect.quote === "'" ? 0.05 : 0;
  return (
    agreement * quotes * rank * (openQuote && !cut ? 0.5 : 1) * (1 + Math.log2(Math.min(common, 64)) * 0.1) + bonus
  );
}
