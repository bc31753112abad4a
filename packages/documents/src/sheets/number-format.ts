import type { CellContent } from "../comparison.ts";

export interface Shown {
  readonly text: string;
  readonly type: CellContent["type"];
}

/** Formats that have a number and no code of their own in the file (ECMA-376 part 1, 18.8.30). */
const builtIn = new Map<number, string>([
  [0, "General"],
  [1, "0"],
  [2, "0.00"],
  [3, "#,##0"],
  [4, "#,##0.00"],
  [5, '"$"#,##0;-"$"#,##0'],
  [6, '"$"#,##0;-"$"#,##0'],
  [7, '"$"#,##0.00;-"$"#,##0.00'],
  [8, '"$"#,##0.00;-"$"#,##0.00'],
  [9, "0%"],
  [10, "0.00%"],
  [11, "0.00E+00"],
  [12, "# ?/?"],
  [13, "# ??/??"],
  [14, "yyyy-mm-dd"],
  [15, "d-mmm-yy"],
  [16, "d-mmm"],
  [17, "mmm-yy"],
  [18, "h:mm AM/PM"],
  [19, "h:mm:ss AM/PM"],
  [20, "h:mm"],
  [21, "h:mm:ss"],
  [22, "yyyy-mm-dd h:mm"],
  [37, "#,##0;(#,##0)"],
  [38, "#,##0;(#,##0)"],
  [39, "#,##0.00;(#,##0.00)"],
  [40, "#,##0.00;(#,##0.00)"],
  [41, "#,##0;-#,##0"],
  [42, '"$"#,##0;-"$"#,##0'],
  [43, "#,##0.00;-#,##0.00"],
  [44, '"$"#,##0.00;-"$"#,##0.00'],
  [45, "mm:ss"],
  [46, "[h]:mm:ss"],
  [47, "mm:ss"],
  [48, "##0.0E+0"],
  [49, "@"],
]);

export function builtInFormat(id: number): string {
  return builtIn.get(id) ?? "General";
}

type Part =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "digits"; readonly text: string }
  | { readonly kind: "date"; readonly text: string }
  | { readonly kind: "elapsed"; readonly text: string }
  | { readonly kind: "text" };

interface Section {
  readonly condition: ((value: number) => boolean) | null;
  readonly parts: readonly Part[];
}

const compiled = new Map<string, readonly Section[]>();

/** A number as the format shows it, nearly: fractions, fill characters and other languages' months are approximated. */
export function shownNumber(value: number, format: string, epoch1904: boolean): Shown {
  if (!Number.isFinite(value)) return { text: String(value), type: "error" };
  const sections = sectionsOf(format);
  const chosen = sections.findIndex(({ condition }) => condition?.(value) ?? true);
  const section = sections[chosen];
  if (!section || section.parts.length === 0) return { text: general(value), type: "number" };
  if (section.parts.some(({ kind }) => kind === "date" || kind === "elapsed")) {
    return { text: asDate(value, section.parts, epoch1904), type: "date" };
  }
  // The sign is the format's own business where it has a section for negative numbers.
  const signed = chosen === 0 || section.condition === null;
  const shown = asNumber(Math.abs(value), section.parts);
  const text = value < 0 && signed && /[1-9]/.test(shown) ? `-${shown}` : shown;
  return { text: value !== 0 && hides(section.parts) ? `${text} (${general(value)})` : text, type: "number" };
}

/** A format can show what the number is not: nothing at all, or digits of its own. Who reviews should see the number. */
function hides(parts: readonly Part[]): boolean {
  const shows = parts.some(({ kind }) => kind === "digits" || kind === "text");
  return !shows || parts.some((part) => part.kind === "literal" && /\d/.test(part.text));
}

/** Up to eleven digits, as a cell without a format shows them. */
export function general(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e15 || size < 1e-9)) {
    return value
      .toExponential(5)
      .replace(/\.?0+e/, "e")
      .replace(/e([+-])(\d)$/, "e$10$2")
      .toUpperCase();
  }
  return String(Number(value.toPrecision(size >= 1e11 ? 15 : 11)));
}

function sectionsOf(format: string): readonly Section[] {
  const known = compiled.get(format);
  if (known) return known;
  const sections = /^general$/i.test(format) || format.length > 255 ? [] : compile(format);
  // Formats come from files: the memory of them is bounded.
  if (compiled.size > 2000) compiled.clear();
  compiled.set(format, sections);
  return sections;
}

function compile(format: string): Section[] {
  const raw = splitSections(format).slice(0, 4);
  const numeric = raw.length === 4 ? raw.slice(0, 3) : raw;
  const signs: ((value: number) => boolean)[] =
    numeric.length === 1
      ? []
      : numeric.length === 2
        ? [(value) => value >= 0, (value) => value < 0]
        : [(value) => value > 0, (value) => value < 0, (value) => value === 0];
  return numeric.map((text, index) => {
    const condition = /\[(<=|>=|<>|=|<|>)(-?[\d.]+)\]/.exec(text);
    return {
      condition: condition ? comparing(condition[1] ?? "=", Number(condition[2])) : (signs[index] ?? null),
      parts: partsOf(text),
    };
  });
}

function comparing(operator: string, limit: number): (value: number) => boolean {
  switch (operator) {
    case "<":
      return (value) => value < limit;
    case "<=":
      return (value) => value <= limit;
    case ">":
      return (value) => value > limit;
    case ">=":
      return (value) => value >= limit;
    case "<>":
      return (value) => value !== limit;
    default:
      return (value) => value === limit;
  }
}

function splitSections(format: string): string[] {
  return format.match(/(?:"[^"]*"?|\\.|\[[^\]]*\]?|[^;])+|(?<=^|;)(?=;|$)/gs) ?? [format];
}

function partsOf(section: string): Part[] {
  const parts: Part[] = [];
  const pieces =
    section.match(
      /"[^"]*"?|\\.?|_.?|\*.?|\[[^\]]*\]?|General|AM\/PM|A\/P|[yY]+|[mM]+|[dD]+|[hH]+|[sS]+(?:\.0+)?|[eE][+-][0#?]+|[0#?.,]+(?:\s*[?#]*\s*\/\s*[?#\d]+)?|@|./gs,
    ) ?? [];
  for (const piece of pieces) {
    const first = piece.charAt(0);
    if (first === '"') parts.push({ kind: "literal", text: piece.replaceAll('"', "") });
    else if (first === "\\") parts.push({ kind: "literal", text: piece.slice(1) });
    else if (first === "_") parts.push({ kind: "literal", text: " " });
    else if (first === "*") continue;
    else if (first === "[") {
      if (/^\[(?:h+|m+|s+)\]$/i.test(piece)) parts.push({ kind: "elapsed", text: piece.slice(1, -1).toLowerCase() });
      const currency = /^\[\$([^-\]]+)/.exec(piece)?.[1];
      if (currency !== undefined) parts.push({ kind: "literal", text: currency });
    } else if (piece === "General") parts.push({ kind: "digits", text: piece });
    else if (/^(?:AM\/PM|A\/P|[ymdhs])/i.test(piece) && piece !== "/")
      parts.push({ kind: "date", text: piece.toLowerCase() });
    else if (piece === "@") parts.push({ kind: "text" });
    else if (/^[0#?.,]/.test(piece) || /^[eE][+-]/.test(piece)) parts.push({ kind: "digits", text: piece });
    else parts.push({ kind: "literal", text: piece });
  }
  // Separators of dates such as `.` and `,` are literals there.
  return parts.some(({ kind }) => kind === "date" || kind === "elapsed")
    ? parts.map((part) => (part.kind === "digits" ? { kind: "literal", text: part.text } : part))
    : parts;
}

function asNumber(size: number, parts: readonly Part[]): string {
  const percent = parts.reduce(
    (count, part) => count + (part.kind === "literal" ? part.text.split("%").length - 1 : 0),
    0,
  );
  const digits = parts.flatMap((part) => (part.kind === "digits" ? [part.text] : [])).join("");
  if (digits === "") return parts.map((part) => (part.kind === "literal" ? part.text : general(size))).join("");
  const shown = digitsOf(size * 100 ** Math.min(percent, 4), digits);
  let written = false;
  return parts
    .map((part) => {
      if (part.kind === "literal") return part.text;
      if (written) return "";
      written = true;
      return shown;
    })
    .join("");
}

function digitsOf(size: number, pattern: string): string {
  if (pattern.startsWith("General")) return general(size);
  if (pattern.includes("/")) return fraction(size, pattern);
  const [mantissa = "", exponent] = pattern.split(/[eE][+-]/);
  const [before = "", after = ""] = mantissa.split(".");
  const decimals = Math.min(after.replace(/[^0#?]/g, "").length, 30);
  const least = after.replace(/[^0?]/g, "").length;
  if (exponent !== undefined) {
    const [number = "0", power = "0"] = size.toExponential(Math.min(decimals, 30)).split("e");
    return `${number}E${power.startsWith("-") ? "-" : "+"}${power.replace(/^[+-]/, "").padStart(exponent.length, "0")}`;
  }
  const scale = /,+$/.exec(after === "" ? before : after)?.[0].length ?? 0;
  const fixed = size / 1000 ** Math.min(scale, 10) < 1e21 ? (size / 1000 ** scale).toFixed(decimals) : String(size);
  const [whole = "0", rest = ""] = fixed.split(".");
  const places = before.replace(/[^0]/g, "").length;
  const padded = places === 0 && whole === "0" && rest !== "" ? "" : whole.padStart(Math.min(places, 30), "0");
  const grouped = /[0#?],[0#?]/.test(before) ? padded.replace(/\B(?=(?:\d{3})+$)/g, ",") : padded;
  let kept = rest;
  while (kept.length > least && kept.endsWith("0")) kept = kept.slice(0, -1);
  return kept === "" ? grouped : `${grouped}.${kept}`;
}

function fraction(size: number, pattern: string): string {
  const places = pattern.split("/")[1] ?? "";
  const given = /^\s*\d+/.exec(places);
  const most = given ? Number(given[0]) : Math.min(10 ** places.trim().length - 1, 999);
  const whole = /^[#0?]+\s/.test(pattern) ? Math.floor(size) : 0;
  let best: [number, number] = [Math.round(size - whole), 1];
  for (let under = given ? most : 1; under <= most; under++) {
    const over = Math.round((size - whole) * under);
    const closer = Math.abs(size - whole - over / under) < Math.abs(size - whole - best[0] / best[1]) - 1e-12;
    if (closer || given) best = [over, under];
  }
  if (best[0] === 0) return String(whole);
  if (best[0] === best[1]) return String(whole + 1);
  return `${whole > 0 ? `${whole} ` : ""}${best[0]}/${best[1]}`;
}

const months = "January February March April May June July August September October November December".split(" ");
const days = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");
const dayMs = 86_400_000;

/** The moment of a serial number; null for what is no date of a sheet. */
export function dateOf(serial: number, epoch1904: boolean): Date | null {
  if (!(serial >= 0) || serial >= 2_958_466) return null;
  // The calendar of 1900 has a 29 February that never was; numbers before it are one less.
  const days = epoch1904 ? serial + 1462 : serial < 60 ? serial + 1 : serial;
  return new Date(Math.round((days * dayMs) / 1000) * 1000 + Date.UTC(1899, 11, 30));
}

/** The serial number of a day or moment written as ISO 8601 (`2026-01-31`, `2026-01-31T12:30:00`); null for anything else. */
export function serialOf(iso: string, epoch1904: boolean): number | null {
  const parts = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?Z?)?$/.exec(iso);
  if (!parts) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts
    .slice(1)
    .map((part) => Number(part ?? 0));
  const at = Date.UTC(year, month - 1, day, hour, minute, second);
  const read = new Date(at);
  const real = read.getUTCMonth() === month - 1 && read.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  const serial = (at - Date.UTC(1899, 11, 30)) / dayMs - (epoch1904 ? 1462 : 0);
  if (!real || serial < 0) return null;
  return !epoch1904 && serial < 61 ? serial - 1 : serial;
}

function asDate(value: number, parts: readonly Part[], epoch1904: boolean): string {
  const date = dateOf(value, epoch1904);
  const elapsed = parts.some(({ kind }) => kind === "elapsed");
  if (!date && !elapsed) return general(value);
  const at = date ?? new Date(0);
  const twelve = parts.some((part) => part.kind === "date" && part.text.includes("/"));
  const seconds = Math.round(Math.abs(value) * 86_400);
  let inTime = false;
  const shown = parts.map((part, index) => {
    if (part.kind === "literal") return part.text;
    if (part.kind === "elapsed") {
      inTime = true;
      const unit = part.text.startsWith("h") ? 3600 : part.text.startsWith("m") ? 60 : 1;
      return pad(Math.floor(seconds / unit), part.text.length);
    }
    if (part.kind !== "date") return "";
    const { text } = part;
    switch (text.charAt(0)) {
      case "y":
        return text.length > 2 ? String(at.getUTCFullYear()) : pad(at.getUTCFullYear() % 100, 2);
      case "d":
        if (text.length > 2) return (days[at.getUTCDay()] ?? "").slice(0, text.length > 3 ? 9 : 3);
        return pad(at.getUTCDate(), text.length);
      case "h":
        inTime = true;
        return pad(twelve ? at.getUTCHours() % 12 || 12 : at.getUTCHours(), text.length);
      case "s":
        return pad(at.getUTCSeconds(), text.split(".")[0]?.length ?? 1);
      case "a":
        return at.getUTCHours() < 12 ? "AM" : "PM";
      default: {
        // `m` after hours or before seconds is minutes.
        const next = parts.slice(index + 1).find(({ kind }) => kind === "date");
        const minutes = text.length < 3 && (inTime || (next?.kind === "date" && next.text.startsWith("s")));
        if (minutes) return pad(elapsed ? Math.floor(seconds / 60) % 60 : at.getUTCMinutes(), text.length);
        const name = months[at.getUTCMonth()] ?? "";
        if (text.length > 2) return text.length === 3 ? name.slice(0, 3) : text.length === 5 ? name.slice(0, 1) : name;
        return pad(at.getUTCMonth() + 1, text.length);
      }
    }
  });
  return `${value < 0 && elapsed ? "-" : ""}${shown.join("")}`;
}

const pad = (number: number, width: number): string => String(number).padStart(Math.min(width, 2), "0");
