import assert from "node:assert/strict";
import {
  BenchtopError,
  type ErrorCode,
  type Memory,
  type MemoryEntry,
  type MemoryLane,
  type MemoryLimits,
} from "@benchtop/protocol";
import { hostileTexts } from "./hostile-texts.ts";

/** What the suite runs on. `test` is that of any test runner. */
export interface MemorySubject {
  readonly test: (name: string, body: () => Promise<void>) => void;
  /** Gives an empty memory with these limits for as long as the body takes. */
  readonly withMemory: (
    limits: Partial<Record<MemoryLane, MemoryLimits>>,
    body: (memory: Memory) => Promise<void>,
  ) => Promise<void>;
}

/** What every memory has to do, wherever it keeps its texts. */
export function memorySuite(subject: MemorySubject): void {
  searchSuite(subject);
  notesSuite(subject);
  retentionSuite(subject);
  hostileSuite(subject);
}

const scope = "user:1";

async function keep(memory: Memory, ...texts: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const text of texts) ids.push((await memory.write({ lane: "episodic", scope, text })).id);
  return ids;
}

async function found(
  memory: Memory,
  query: string,
  options: { limit?: number; maxTokens?: number } = {},
): Promise<string[]> {
  const { items } = await memory.retrieve({ lane: "episodic", scope, query, ...options });
  return items.map(({ text }) => text);
}

function searchSuite({ test, withMemory }: MemorySubject): void {
  test("H5 a text is found by its words, whatever their case, accents and number", () =>
    withMemory({}, async (memory) => {
      const text = "The naïve Policies live in Zürich.";
      await keep(memory, text, "Something else entirely.");
      for (const query of ["policy", "NAIVE", "zurich?", "where do the policies live"]) {
        assert.deepEqual(await found(memory, query), [text], query);
      }
      assert.deepEqual(await found(memory, "polic"), []);
      assert.deepEqual(await found(memory, ""), []);
      assert.deepEqual(await found(memory, "?!…"), []);
      assert.deepEqual(await found(memory, "Where is it? In the…"), []);
    }));

  test("H5 scripts without spaces are found by what they hold", () =>
    withMemory({}, async (memory) => {
      await keep(memory, "数据库在东京运行。", "会议在星期三。", "ฐานข้อมูลอยู่ที่กรุงเทพ");
      assert.deepEqual(await found(memory, "数据库"), ["数据库在东京运行。"]);
      assert.deepEqual(await found(memory, "东京"), ["数据库在东京运行。"]);
      assert.deepEqual(await found(memory, "กรุงเทพ"), ["ฐานข้อมูลอยู่ที่กรุงเทพ"]);
    }));

  test("H5 what answers a question best comes first: rare words and more of them", () =>
    withMemory({}, async (memory) => {
      const fillers = Array.from(
        { length: 30 },
        (_, place) => `The deploy number ${place} went well for team ${place}.`,
      );
      await keep(
        memory,
        ...fillers,
        "The deploy to Reykjavik failed.",
        "The deploy to Reykjavik was rolled back by Ada.",
      );
      const texts = await found(memory, "Who rolled back the deploy to Reykjavik?", { limit: 3 });
      assert.equal(texts.length, 3);
      assert.equal(texts[0], "The deploy to Reykjavik was rolled back by Ada.");
      assert.equal(texts[1], "The deploy to Reykjavik failed.");
    }));

  test("H5 scores fall from the best to the last", () =>
    withMemory({}, async (memory) => {
      await keep(
        memory,
        "alpha",
        "alpha beta",
        "alpha beta gamma",
        ...Array.from({ length: 9 }, (_, n) => `filler ${n}`),
      );
      const { items } = await memory.retrieve({ lane: "episodic", scope, query: "alpha beta gamma" });
      const scores = items.map(({ score }) => score);
      assert.deepEqual(
        scores,
        [...scores].sort((a, b) => b - a),
      );
      assert.equal(items[0]?.text, "alpha beta gamma");
      assert.equal(items.length, 3);
    }));

  test("H5 an answer has as many texts, and as many tokens, as were asked for", () =>
    withMemory({}, async (memory) => {
      await keep(memory, `apple ${"x".repeat(4000)}`, ...Array.from({ length: 20 }, (_, place) => `apple ${place}`));
      assert.equal((await found(memory, "apple")).length, 8);
      assert.equal((await found(memory, "apple", { limit: 15 })).length, 15);
      assert.equal((await found(memory, "apple", { limit: 0 })).length, 0);
      const few = await found(memory, "apple", { limit: 30, maxTokens: 20 });
      assert.equal(few.length, 10);
      assert.equal(
        few.some((text) => text.length > 100),
        false,
      );
    }));

  test("H5 nothing is ever read across scopes or lanes", () =>
    withMemory({}, async (memory) => {
      await keep(memory, "mine alone");
      await memory.write({ lane: "working", scope, key: "k", text: "mine alone" });
      for (const other of ["user:2", "user", "user:1 ", "USER:1", "user:1%"]) {
        for (const lane of ["working", "episodic"] as const) {
          assert.deepEqual((await memory.retrieve({ lane, scope: other, query: "mine alone" })).items, []);
        }
        assert.equal(await memory.forget({ scope: other }), 0);
      }
      assert.equal((await found(memory, "mine")).length, 1);
    }));

  test("H5 the same text is kept once", () =>
    withMemory({}, async (memory) => {
      const [first, second] = await keep(memory, "once", "once");
      assert.equal(first, second);
      assert.deepEqual(await found(memory, "once"), ["once"]);
      assert.equal((await memory.write({ lane: "episodic", scope, text: " once " })).known, true);
    }));

  test("H5 what is forgotten is not found again, and may be written anew", () =>
    withMemory({}, async (memory) => {
      const [id = ""] = await keep(memory, "a passing thought", "a lasting thought");
      assert.equal(await memory.forget({ scope, id }), 1);
      assert.equal(await memory.forget({ scope, id }), 0);
      assert.deepEqual(await found(memory, "thought"), ["a lasting thought"]);
      await keep(memory, "a passing thought");
      assert.equal((await found(memory, "thought")).length, 2);
      await memory.write({ lane: "working", scope, key: "k", text: "note" });
      assert.equal(await memory.forget({ scope, lane: "episodic" }), 2);
      assert.equal(await memory.forget({ scope }), 1);
      assert.deepEqual(await found(memory, "thought"), []);
    }));
}

async function notes(memory: Memory): Promise<(readonly [string | undefined, string])[]> {
  const { items } = await memory.retrieve({ lane: "working", scope });
  return items.map(({ key, text }) => [key, text]);
}

function notesSuite({ test, withMemory }: MemorySubject): void {
  test("H5 notes are all given, by key, and a later one takes the place of an earlier", () =>
    withMemory({}, async (memory) => {
      const note = (key: string, text: string) => memory.write({ lane: "working", scope, key, text });
      const { id, known } = await note("goal", "ship it");
      assert.equal(known, false);
      await note("branch", "main");
      assert.deepEqual(await note("goal", "ship it tomorrow"), { id, known: true, replaced: "ship it", forgotten: [] });
      assert.deepEqual(await notes(memory), [
        ["branch", "main"],
        ["goal", "ship it tomorrow"],
      ]);
      assert.equal(await memory.forget({ scope, id }), 1);
      assert.deepEqual(await notes(memory), [["branch", "main"]]);
    }));

  test("H5 an entry without text, or with too much, is refused by name", () =>
    withMemory({ episodic: { maxItems: 9, maxCharacters: 100, maxItemCharacters: 20 } }, async (memory) => {
      const bad: MemoryEntry[] = [
        { lane: "episodic", scope, text: "" },
        { lane: "episodic", scope, text: "  \n " },
        { lane: "episodic", scope, text: "x".repeat(21) },
        { lane: "episodic", scope: "", text: "x" },
        { lane: "episodic", scope: "s".repeat(1000), text: "x" },
        { lane: "episodic", scope, key: "k", text: "x" },
        { lane: "working", scope, text: "x" },
        { lane: "working", scope, key: "k".repeat(1000), text: "x" },
      ];
      for (const entry of bad) await rejectsWith("VALIDATION_FAILED", memory.write(entry));
      assert.deepEqual(await notes(memory), []);
    }));
}

function retentionSuite({ test, withMemory }: MemorySubject): void {
  test("H5 a full scope forgets what was used least recently, and says which", () =>
    withMemory({ episodic: { maxItems: 3, maxCharacters: 1000, maxItemCharacters: 100 } }, async (memory) => {
      const [one, two, three] = await keep(memory, "apple one", "pear two", "plum three");
      await found(memory, "apple");
      const fourth = await memory.write({ lane: "episodic", scope, text: "fig four" });
      assert.deepEqual(fourth.forgotten, [two]);
      await memory.write({ lane: "episodic", scope: "user:2", text: "elsewhere" });
      const fifth = await memory.write({ lane: "episodic", scope, text: "kiwi five" });
      assert.deepEqual(fifth.forgotten, [three]);
      assert.deepEqual(await found(memory, "apple pear plum fig kiwi").then((texts) => texts.sort()), [
        "apple one",
        "fig four",
        "kiwi five",
      ]);
      assert.notEqual(one, undefined);
    }));

  test("H5 a scope that holds too many characters forgets as many texts as it must", () =>
    withMemory({ episodic: { maxItems: 100, maxCharacters: 50, maxItemCharacters: 50 } }, async (memory) => {
      const ids = await keep(memory, `apple ${"a".repeat(10)}`, `apple ${"b".repeat(10)}`, `apple ${"c".repeat(10)}`);
      const { forgotten } = await memory.write({ lane: "episodic", scope, text: `apple ${"d".repeat(24)}` });
      assert.deepEqual([...forgotten].sort(), ids.slice(0, 2).sort());
      assert.equal((await found(memory, "apple")).length, 2);
    }));
}

function hostileSuite({ test, withMemory }: MemorySubject): void {
  test("H5 no text is read as a search language, and none breaks a search", () =>
    withMemory({}, async (memory) => {
      await keep(memory, "needle in a haystack");
      for (const [name, text] of Object.entries(hostileTexts)) {
        const { items } = await memory.retrieve({ lane: "episodic", scope, query: text });
        assert.ok(items.length <= 1, name);
        const withNeedle = await found(memory, `needle ${text}`);
        assert.deepEqual(withNeedle, ["needle in a haystack"], name);
      }
    }));

  test("H5 any text can be kept, found again by a word, and forgotten", () =>
    withMemory({}, async (memory) => {
      for (const [name, text] of Object.entries(hostileTexts)) {
        const kept = `marker${name} ${text.slice(0, 5000)}`;
        const { id } = await memory.write({ lane: "episodic", scope, text: kept });
        const { items } = await memory.retrieve({ lane: "episodic", scope, query: `marker${name}`, limit: 1 });
        assert.equal(items[0]?.id, id, name);
        assert.equal(items[0]?.text, kept.trim().replaceAll("\0", "\uFFFD").toWellFormed(), name);
        assert.equal(await memory.forget({ scope, id }), 1, name);
      }
    }));
}

async function rejectsWith(code: ErrorCode, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => BenchtopError.is(error) && error.code === code);
}
