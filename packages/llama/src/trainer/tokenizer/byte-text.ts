/**
 * Byte-level vocabularies write each byte as one printable character: printable Latin-1 as itself, the others from U+0100 on
 * (the mapping of GPT-2, which GGUF's `gpt2` tokenizers share).
 */
const characters: string[] = [];
const bytes = new Map<string, number>();

let next = 256;
for (let byte = 0; byte < 256; byte += 1) {
  const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  const character = String.fromCodePoint(printable ? byte : next);
  if (!printable) next += 1;
  characters.push(character);
  bytes.set(character, byte);
}

export const byteCharacters: readonly string[] = characters;

/** Well-formed UTF-8; lone surrogates become U+FFFD, as they do wherever text is written. */
export function toByteText(text: string): string {
  let result = "";
  for (const byte of Buffer.from(text)) result += characters[byte] ?? "";
  return result;
}

export function fromByteText(text: string): Buffer {
  return Buffer.from(Array.from(text, (character) => bytes.get(character) ?? 0x3f));
}
