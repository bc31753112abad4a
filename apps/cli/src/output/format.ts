/** Numbers and times the way people read them. */

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = "B";
  for (const next of units) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds) % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Tokens or parameters in three digits at most: 512, 4.1k, 7.6B. */
export function formatAmount(amount: number): string {
  const units = ["", "k", "M", "B", "T"];
  let value = amount;
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : Number(value.toPrecision(value < 9.995 ? 2 : 3))}${units[unit]}`;
}

/** Micro-dollars as dollars, with as many digits as a small amount needs. */
export function formatCost(micros: number): string {
  const dollars = micros / 1_000_000;
  return `$${dollars >= 1 || dollars === 0 ? dollars.toFixed(2) : dollars.toPrecision(2)}`;
}

export function formatCount(count: number, singular: string, plural = `${singular}s`): string {
  return `${count.toLocaleString("en-US")} ${count === 1 ? singular : plural}`;
}

/** A change set in words: "1 added, 2 modified"; "no changes" for none. */
export function formatCounts(counts: { added: number; modified: number; deleted: number }): string {
  const parts = (["added", "modified", "deleted"] as const).flatMap((kind) =>
    counts[kind] > 0 ? [`${counts[kind]} ${kind}`] : [],
  );
  return parts.length === 0 ? "no changes" : parts.join(", ");
}

export function formatAge(iso: string, now = Date.now()): string {
  const seconds = Math.max(0, (now - Date.parse(iso)) / 1000);
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  if (seconds < 30 * 86_400) return formatCount(Math.floor(seconds / 86_400), "day") + " ago";
  return iso.slice(0, 10);
}

/** Whole seconds, and no part of it that is zero: 50 s, 1 min 15 s, 10 min. */
export function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : formatDuration(whole * 1000).replace(/ 0 (?:s|min)$/, "");
}

/** How long it is until then. */
export function formatUntil(iso: string, now = Date.now()): string {
  const milliseconds = Date.parse(iso) - now;
  return milliseconds < 1000 ? "now" : `in ${formatSeconds(milliseconds / 1000)}`;
}

/** Names and messages come from files and models: control characters must not steer the terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu, (character) =>
    character === "\t" ? "  " : `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

/** The same for text of several lines: newlines and tabs stay. */
export function printableText(text: string): string {
  return text.replace(/[^\n\t\P{Cc}]|[\u202A-\u202E\u2066-\u2069]/gu, (character) =>
    character === "\r" ? "" : `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
