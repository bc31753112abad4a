import { redactText, type Detector } from "./findings.ts";
import {
  allow,
  deny,
  redact,
  type Gate,
  type GateMode,
  type GatePoint,
  type GateSubject,
  type Verdict,
} from "./gate.ts";
import { personalData, type PersonalDataKind } from "./personal-data.ts";
import { secrets } from "./secrets.ts";

export interface TextGateOptions {
  readonly mode: GateMode;
  readonly name?: string;
  readonly points?: readonly GatePoint[];
  /** What to do with a text that holds something; `redact` when absent. Calls and attachments are refused either way. */
  readonly action?: "redact" | "deny";
}

/** Refuses or redacts secrets of known forms. */
export function secretsGate(options: TextGateOptions): Gate {
  return textGate("secrets", [secrets], options);
}

/** Refuses or redacts personal data. */
export function personalDataGate(options: TextGateOptions & { readonly kinds?: readonly PersonalDataKind[] }): Gate {
  return textGate("personal-data", [personalData(options.kinds)], options);
}

/** A gate that judges a text, the strings of a call's arguments or the text files of an input by what detectors find. */
export function textGate(name: string, detectors: readonly Detector[], options: TextGateOptions): Gate {
  const { mode, points = ["input", "tool-call", "tool-result", "output"], action = "redact" } = options;
  return {
    name: options.name ?? name,
    mode,
    points,
    check: async (subject) => judge(subject, detectors, action),
  };
}

function judge(subject: GateSubject, detectors: readonly Detector[], action: "redact" | "deny"): Verdict {
  if (subject.point === "tool-call") {
    const { findings } = redactText(JSON.stringify(subject.call.arguments), detectors);
    return findings.length === 0 ? allow : deny("The arguments hold what may not be passed on.", findings);
  }
  const { text, findings } = redactText(subject.text, detectors);
  if (subject.point === "input") {
    const attached = redactText(attachedText(subject), detectors).findings;
    if (attached.length > 0) {
      return deny("An attachment holds what may not be passed on.", [...new Set([...findings, ...attached])]);
    }
  }
  const thought = subject.point === "output" ? redactText(subject.reasoning ?? "", detectors).findings : [];
  const all = [...new Set([...findings, ...thought])];
  if (all.length === 0) return allow;
  return action === "deny" ? deny("The text holds what may not be passed on.", all) : redact(text, all);
}

/** Attachments that are texts. Of images, documents and what is kept elsewhere nothing is known. */
function attachedText({ attachments }: Extract<GateSubject, { point: "input" }>): string {
  return attachments
    .filter(({ mediaType }) => /^text\/|\b(?:json|xml|yaml|javascript|x-sh)\b/.test(mediaType))
    .map(({ data = "" }) => Buffer.from(data, "base64").toString("utf8"))
    .join("\n");
}
