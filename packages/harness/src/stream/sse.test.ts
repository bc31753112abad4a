import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SseDecoder } from "./sse.ts";

function decode(chunks: readonly Uint8Array[], maxBytes?: number): string[] {
  const decoder = new SseDecoder(maxBytes === undefined ? {} : { maxBytes });
  return [...chunks.flatMap((chunk) => decoder.push(chunk)), ...decoder.end()];
}

const bytes = (text: string) => new TextEncoder().encode(text);

describe("server-sent events", () => {
  test.for<[string, string, string[]]>([
    ["one line of data", "data: a\n\n", ["a"]],
    ["data without the space", "data:a\n\n", ["a"]],
    ["only the first space removed", "data:  a\n\n", [" a"]],
    ["several lines joined", "data: a\ndata:\ndata: b\n\n", ["a\n\nb"]],
    ["CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]],
    ["CR", "data: a\r\rdata: b\r\r", ["a", "b"]],
    ["all line ends mixed", "data: a\r\ndata: b\rdata: c\n\r\ndata: d\n\n", ["a\nb\nc", "d"]],
    ["comments and other fields skipped", ": hi\nevent: x\nid: 1\nretry: 5\ndatabase: no\ndata: a\n\n", ["a"]],
    ["a field name alone", "data\n\n", [""]],
    ["a byte order mark", "\u{feff}data: a\n\n", ["a"]],
    ["events without data ignored", "event: ping\n\ndata: a\n\n", ["a"]],
    ["an unterminated last event", "data: a\n\ndata: b", ["a", "b"]],
    ["nothing", "", []],
  ])("are read: %s", ([, text, expected]) => {
    const whole = bytes(text);
    expect(decode([whole])).toEqual(expected);
    for (let at = 0; at <= whole.length; at += 1) {
      expect(decode([whole.subarray(0, at), whole.subarray(at)]), `split at ${at}`).toEqual(expected);
    }
    expect(decode(Array.from(whole, (_, at) => whole.subarray(at, at + 1)))).toEqual(expected);
  });

  test("are the same however the bytes are cut", () => {
    const line = fc.string({ unit: "grapheme" }).map((text) => text.replaceAll(/[\r\n]/g, ""));
    const event = fc.array(line, { minLength: 1, maxLength: 3 });
    const lineEnd = fc.constantFrom("\n", "\r\n", "\r");
    fc.assert(
      fc.property(fc.array(event), lineEnd, fc.array(fc.nat({ max: 200 })), (events, end, cuts) => {
        const stream = bytes(events.map((lines) => lines.map((text) => `data: ${text}${end}`).join("") + end).join(""));
        const chunks: Uint8Array[] = [];
        let start = 0;
        for (const cut of [...cuts, stream.length]) {
          chunks.push(stream.subarray(start, start + cut));
          start += cut;
        }
        expect(decode(chunks)).toEqual(events.map((lines) => lines.join("\n")));
      }),
    );
  });

  test("may be long, up to a limit", () => {
    const long = "x".repeat(100_000);
    const chunks = [bytes("data: "), ...Array.from({ length: 10 }, () => bytes(long)), bytes("\n\n")];
    expect(decode(chunks)).toEqual([long.repeat(10)]);
    expect(() => decode(chunks, 500_000)).toThrow(expect.objectContaining({ code: "PROVIDER_UNAVAILABLE" }));
    const lines = Array.from({ length: 20 }, () => bytes(`data: ${long}\n`));
    expect(() => decode(lines, 500_000)).toThrow(expect.objectContaining({ code: "PROVIDER_UNAVAILABLE" }));
  });
});
