import { memorySuite } from "@benchtop/harness/memory-suite";
import { expect } from "vitest";
import { Memories } from "../../src/memory/memories.ts";
import { withStores, type SuiteSubject } from "./subject.ts";

/** What every memory does, in the tables of a store. */
export function durableMemorySuite(subject: SuiteSubject): void {
  memorySuite({
    test: subject.test,
    withMemory: (limits, body) =>
      withStores(subject, async (open) => {
        const { db, dialect } = await open();
        await body(new Memories({ db, dialect, limits }));
      }),
  });

  subject.test("H5 what one scope remembers is listed newest first, a page at a time, and counted", () =>
    withStores(subject, async (open) => {
      const { memory } = await open();
      const scope = "workbench:a";
      for (const text of ["one", "two", "three"]) await memory.write({ lane: "episodic", scope, text });
      await memory.write({ lane: "working", scope, key: "currency", text: "euros" });
      await memory.write({ lane: "episodic", scope: "workbench:b", text: "of another" });
      const first = await memory.list(scope, { limit: 3 });
      const { writtenAt, id } = first.at(-1) ?? { writtenAt: "", id: "" };
      const rest = await memory.list(scope, { limit: 3, after: { writtenAt, id } });
      const all = [...first, ...rest];
      expect([first.length, rest.length]).toEqual([3, 1]);
      expect(all.map(({ text }) => text).toSorted()).toEqual(["euros", "one", "three", "two"]);
      expect(all.find(({ lane }) => lane === "working")).toMatchObject({ key: "currency", text: "euros" });
      expect(all.map((item) => item.writtenAt)).toEqual(
        all
          .map((item) => item.writtenAt)
          .toSorted()
          .toReversed(),
      );
      expect(await memory.count(scope)).toBe(4);
      expect(await memory.forget({ scope })).toBe(4);
      expect([await memory.count(scope), await memory.count("workbench:b")]).toEqual([0, 1]);
    }),
  );
}
