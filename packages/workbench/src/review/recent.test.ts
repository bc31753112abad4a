import { expect, test } from "vitest";
import { Recent } from "./recent.ts";

function counted(recent: Recent<string>) {
  const computed: string[] = [];
  const get = (key: string, value = key) =>
    recent.get(key, () => {
      computed.push(key);
      return Promise.resolve(value);
    });
  return { computed, get };
}

test("answers are computed once, also for those who ask at the same time, and the oldest go", async () => {
  const { computed, get } = counted(new Recent(2));
  expect(await Promise.all([get("a"), get("a")])).toEqual(["a", "a"]);
  await get("b");
  await get("a");
  await get("c");
  await get("a");
  await get("b");
  expect(computed).toEqual(["a", "b", "c", "b"]);
});

test("together they weigh no more than they may; what weighs more alone is not kept", async () => {
  const { computed, get } = counted(new Recent(10, 5, (value: string) => value.length));
  await get("a", "xxx");
  await get("b", "xxx");
  await get("a", "xxx");
  await get("c", "xxxxxx");
  await get("c", "xxxxxx");
  expect(computed).toEqual(["a", "b", "a", "c", "c"]);
});

test("a failure is asked again", async () => {
  const recent = new Recent<string>(2);
  await expect(recent.get("a", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await recent.get("a", () => Promise.resolve("yes"))).toBe("yes");
});
