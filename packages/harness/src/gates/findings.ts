/** Something that a detector found in a text. `kind` names it and never quotes it. */
export interface Finding {
  readonly kind: string;
  readonly start: number;
  readonly end: number;
}

/** Finds one family of things in a text. Takes time linear in its length. */
export type Detector = (text: string) => readonly Finding[];

export interface Redaction {
  readonly text: string;
  /** Kinds that were found, each once, in order of appearance. */
  readonly findings: readonly string[];
}

/** The text with everything that the detectors find replaced by its kind, as in `[redacted: jwt]`. */
export function redactText(text: string, detectors: readonly Detector[]): Redaction {
  const findings = merged(detectors.flatMap((detect) => detect(text)));
  if (findings.length === 0) return { text, findings: [] };
  let redacted = "";
  let at = 0;
  for (const { kind, start, end } of findings) {
    redacted += `${text.slice(at, start)}[redacted: ${kind}]`;
    at = end;
  }
  return { text: redacted + text.slice(at), findings: [...new Set(findings.map(({ kind }) => kind))] };
}

/** In order and without overlaps: of two that overlap, the whole range, under the name of the one that starts first. */
function merged(findings: readonly Finding[]): readonly Finding[] {
  const ordered = [...findings].sort((left, right) => left.start - right.start || right.end - left.end);
  const result: Finding[] = [];
  for (const finding of ordered) {
    const last = result.at(-1);
    if (last === undefined || finding.start >= last.end) result.push(finding);
    else if (finding.end > last.end) result[result.length - 1] = { ...last, end: finding.end };
  }
  return result;
}
