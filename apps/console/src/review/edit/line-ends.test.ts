import { expect, test } from "vitest";
import { closeText, decodeText, openText } from "./line-ends.ts";

test("what is not edited is written back as it was", () => {
  for (const content of ["", "a\nb", "a\r\nb\r\n", "\uFEFFa\r\nb", "no end"]) {
    const opened = openText(content);
    expect(opened.mixed).toBe(false);
    expect(closeText(opened.text, opened)).toBe(content);
  }
});

test("lines that end in different ways are said to be mixed", () => {
  expect(openText("a\r\nb\nc")).toMatchObject({ mixed: true, text: "a\nb\nc" });
  expect(openText("a\rb")).toMatchObject({ mixed: true, text: "a\nb" });
});

test("bytes that are no text are not opened, and a mark is kept", () => {
  expect(decodeText(bytes(0xff, 0x41))).toBeUndefined();
  expect(decodeText(bytes(0x41, 0))).toBeUndefined();
  expect(decodeText(bytes(0xef, 0xbb, 0xbf, 0x41))).toBe("\uFEFFA");
});

function bytes(...values: number[]): ArrayBuffer {
  return new Uint8Array(values).buffer;
}
