const units: Readonly<Record<string, number>> = { b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 };

/** `50 GB` as bytes; undefined for what is no size. Units count by thousands, as they are shown. */
export function readBytes(text: string): number | undefined {
  const [, digits = "", unit = ""] = /^([\d.,]+)\s*([kmgt]?b)(?:\/s)?$/i.exec(text.trim()) ?? [];
  const bytes = Number(digits.replaceAll(",", "")) * (units[unit.toLowerCase()] ?? Number.NaN);
  return Number.isFinite(bytes) && bytes >= 1 ? Math.round(bytes) : undefined;
}
