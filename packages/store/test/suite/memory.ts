import { memorySuite } from "@benchtop/harness/memory-suite";
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
}
