/** Where a field is in the units of its file: with its quotes; the delimiter and the line end are not part of it. */
export interface Field {
  readonly start: number;
  readonly end: number;
}

export interface Record {
  readonly fields: readonly Field[];
  readonly start: number;
  /** Where its line end begins, and where the next record does. */
  readonly end: number;
  readonly next: number;
}

export interface Dialect {
  readonly delimiter: string;
  /** Null where quotes mean nothing. */
  readonly quote: string | null;
}

export interface Records {
  readonly records: readonly Record[];
  /** The end of the last record; less than the length of the text where there were more than the limit. */
  readonly end: number;
  /** From 1: where a quote opens that nothing closes. */
  readonly openQuote: { readonly row: number; readonly column: number } | null;
}

/**
 * The records of a text (RFC 4180, and what is found in practice: `\n` or `\r` as line ends, rows of different lengths, text after
 * a closing quote). One pass. Positions are kept, so that a change can leave every other byte as it is.
 */
export function recordsOf(units: string, { delimiter, quote }: Dialect, maxFields: number): Records {
  const records: Record[] = [];
  let openQuote: Records["openQuote"] = null;
  let at = 0;
  let count = 0;
  let fields: Field[] = [];
  let start = 0;
  const breaks = new Breaks(units, delimiter);
  while (at < units.length || fields.length > 0) {
    if (count >= maxFields) break;
    const from = at;
    if (quote !== null && units[at] === quote) {
      const close = closing(units, at, quote);
      if (close === -1) openQuote ??= { row: records.length + 1, column: fields.length + 1 };
      at = close === -1 ? units.length : close + 1;
    }
    at = breaks.next(at);
    fields.push({ start: from, end: at });
    count++;
    if (units.startsWith(delimiter, at)) {
      at += delimiter.length;
      // A delimiter at the very end has an empty field after it.
      if (at < units.length) continue;
      fields.push({ start: at, end: at });
    }
    const next = units[at] === "\r" && units[at + 1] === "\n" ? at + 2 : Math.min(at + 1, units.length);
    records.push({ fields, start, end: at, next });
    [fields, start, at] = [[], next, next];
  }
  return { records, end: start, openQuote };
}

/** The closing quote of the one at `from`; two in a row are one that is meant. -1 where none closes. */
function closing(units: string, from: number, quote: string): number {
  for (let at = units.indexOf(quote, from + 1); at !== -1; at = units.indexOf(quote, at + 2)) {
    if (units[at + 1] !== quote) return at;
  }
  return -1;
}

/** The next delimiter or line end. Each kind is looked for once until it is passed, so that the whole takes one pass. */
class Breaks {
  readonly #units: string;
  readonly #marks: readonly string[];
  readonly #found: number[];

  constructor(units: string, delimiter: string) {
    this.#units = units;
    this.#marks = [delimiter, "\n", "\r"];
    this.#found = [-1, -1, -1];
  }

  next(from: number): number {
    let nearest = this.#units.length;
    for (const [index, mark] of this.#marks.entries()) {
      let found = this.#found[index] ?? -1;
      if (found < from) {
        found = this.#units.indexOf(mark, from);
        if (found === -1) found = Infinity;
        this.#found[index] = found;
      }
      if (found < nearest) nearest = found;
    }
    return nearest;
  }
}

/** What a field says, in units: without its quotes, doubled ones made single. */
export function fieldUnits(units: string, { start, end }: Field, quote: string | null): string {
  const raw = units.slice(start, end);
  if (quote === null || !raw.startsWith(quote)) return raw;
  const close = closing(raw, 0, quote);
  if (close === -1) return raw.slice(1).replaceAll(quote + quote, quote);
  return raw.slice(1, close).replaceAll(quote + quote, quote) + raw.slice(close + 1);
}
