import { expect, test } from "vitest";
import { allItems, oneOf, quoted } from "./names.ts";

const people = [
  { id: "usr_1", name: "Ada" },
  { id: "usr_2", name: "usr_1" },
  { id: "usr_3", name: "Bo" },
  { id: "usr_4", name: "Bo" },
];
const named = (word: string) => oneOf(people, "member", word, ({ id, name }) => [id, name]).id;

test("P1.4 an id wins over a name that was chosen to look like it", () => {
  expect(named("usr_1")).toBe("usr_1");
  expect(named("Ada")).toBe("usr_1");
});

test("P1.4 a name that several have is nobody's: the ids are named instead of guessing", () => {
  expect(() => named("Bo")).toThrow("usr_3, usr_4");
  expect(() => named("Cy")).toThrow("There is no member Cy here.");
});

test("a list is read to its last page", async () => {
  const pages = [[1, 2], [3], [], [4]];
  const asked: (string | undefined)[] = [];
  const items = await allItems(({ cursor }) => {
    asked.push(cursor);
    const at = Number(cursor ?? 0);
    return Promise.resolve({ items: pages[at] ?? [], nextCursor: at + 1 < pages.length ? String(at + 1) : null });
  });
  expect([items, asked]).toEqual([
    [1, 2, 3, 4],
    [undefined, "1", "2", "3"],
  ]);
});

test("what is shown to be typed again is quoted for a shell", () => {
  expect([quoted("plain-1"), quoted("my team"), quoted("it's")]).toEqual([
    "plain-1",
    "'my team'",
    String.raw`'it'\''s'`,
  ]);
});
