/** A line of input, without its newline; or that there was one which is longer than any may be. */
export type Line = { readonly kind: "line"; readonly bytes: Buffer } | { readonly kind: "too-long" };

const newline = 10;

/** Cuts a stream into lines, holding one at most. What is too long is thrown away up to the next newline. */
export async function* readLines(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Line> {
  let held: Uint8Array[] = [];
  let length = 0;
  const take = (part: Uint8Array): void => {
    length += part.length;
    if (length > maxBytes) held = [];
    else if (part.length > 0) held.push(part);
  };
  const finish = (): Line => {
    const line: Line = length > maxBytes ? { kind: "too-long" } : { kind: "line", bytes: Buffer.concat(held) };
    held = [];
    length = 0;
    return line;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      take(chunk.subarray(start, end));
      start = end + 1;
      yield finish();
    }
    take(chunk.subarray(start));
  }
  if (length > 0) yield finish();
}
