import type { ReviewWarning } from "../comparison.ts";
import { relationshipKind } from "../xml.ts";
import type { Deck } from "./deck.ts";

const mostWarnings = 50;

/** Programs in a presentation, and what of it lies elsewhere. Links that a person has to follow are no reason to warn. */
export function warningsOfDeck(deck: Deck): ReviewWarning[] {
  const { pack } = deck;
  const warnings: ReviewWarning[] = [];
  const warn = (kind: ReviewWarning["kind"], message: string, where: string | null): void => {
    if (warnings.length < mostWarnings) warnings.push({ kind, message, where });
  };
  for (const name of pack.names) {
    const type = pack.contentTypeOf(name) ?? "";
    if (/vbaProject/i.test(name) || type.includes("vbaProject")) warn("macro", "The presentation holds macros.", name);
    else if (/activeX/i.test(type) || /\/activeX\//i.test(name)) {
      if (name.endsWith(".bin")) warn("macro", "The presentation holds a control that is a program.", name);
    } else if (/\/embeddings\//i.test(name)) {
      warn("macro", "The presentation holds another document or a program, which is not shown here.", name);
    }
  }
  const places = new Map(deck.slides.map(({ part }, index) => [part, `slide ${index + 1}`]));
  for (const part of pack.names) {
    if (part.endsWith(".rels") || !part.endsWith(".xml")) continue;
    for (const { type, external } of pack.relationships(part)) {
      if (!external || relationshipKind(type) === "hyperlink") continue;
      warn(
        "external-reference",
        `The presentation shows something that is elsewhere (${relationshipKind(type)}).`,
        places.get(part) ?? part,
      );
    }
  }
  deck.slides.forEach(({ part }, index) => {
    for (const link of pack.xml(part).root.descendants()) {
      const action = link.local.startsWith("hlink") ? (link.attribute("action", "") ?? "") : "";
      if (/^ppaction:\/\/(program|macro|ole)/i.test(action)) {
        warn(
          "macro",
          "Something on the slide starts a program when it is clicked or pointed at.",
          `slide ${index + 1}`,
        );
      }
    }
  });
  return warnings;
}
