/**
 * A text as HTML text or a quoted attribute. Control characters and those that turn the direction of what follows become
 * visible, because they can make an answer look like another one.
 */
export function escapeHtml(text: string): string {
  return text.replaceAll(
    special,
    (character) => entities[character] ?? `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

const special = /[&<>"'`]|[^\n\t\P{Cc}]|[\u200E\u200F\u2028\u2029\u202A-\u202E\u2066-\u2069]|[\uD800-\uDFFF]/gu;

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
  "`": "&#96;",
  "\r": "",
};
