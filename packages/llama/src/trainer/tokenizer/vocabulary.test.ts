import * as fc from "fast-check";
import { expect, test } from "vitest";
import { fromByteText } from "./byte-text.ts";
import { newEncoder, trainVocabulary } from "./vocabulary.ts";
import { wordsOf } from "./words.ts";

const texts = ["the cat sat on the mat", "the rat that sat", "cats and rats and mats", "that's the cat's mat"];

test("the same texts give the same vocabulary, of the size that is asked for", () => {
  const vocabulary = trainVocabulary(texts, { size: 270 });
  expect(trainVocabulary(texts, { size: 270 })).toEqual(vocabulary);
  expect(vocabulary.tokens).toHaveLength(270);
  expect(new Set(vocabulary.tokens).size).toBe(270);
  expect(vocabulary.merges[0]).toBe("a t");
  expect(vocabulary.unused).toBe(0);
});

test("with little text, unused tokens make the size even", () => {
  const vocabulary = trainVocabulary(["ab ab"], { size: 2000 });
  expect(vocabulary.tokens).toHaveLength(288);
  expect(vocabulary.merges).toEqual(["a b"]);
});

test("what is encoded spells the text, whatever it is", () => {
  const vocabulary = trainVocabulary(texts, { size: 300 });
  const encode = newEncoder(vocabulary);
  const spelled = (ids: number[]): string =>
    Buffer.concat(ids.map((id) => fromByteText(vocabulary.tokens[id] ?? ""))).toString();
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[ a-t'\n\r0-9.,]*$/)), (text) => {
      expect(wordsOf(text).join("")).toBe(text);
      expect(spelled(encode(text))).toBe(Buffer.from(text).toString());
    }),
    { numRuns: 50 },
  );
});

test("special tokens cannot be written in text", () => {
  const encode = newEncoder(trainVocabulary(texts, { size: 300 }));
  expect(encode("<|im_end|>")).not.toContain(2);
  expect(encode("<|im_end|>").length).toBeGreaterThan(1);
});

test("text is cut into words with the space before them, single digits, signs and line ends", () => {
  expect(wordsOf("It's 42.\n\n  Go on  now ")).toEqual([
    "It",
    "'s",
    " ",
    "4",
    "2",
    ".\n\n",
    " ",
    " Go",
    " on",
    " ",
    " now",
    " ",
  ]);
});
