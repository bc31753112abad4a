import assert from "node:assert/strict";
import { callFinished, callStarted, collect, completed, delta, runInit } from "@benchtop/harness/journal-suite";
import { withStores, type SuiteSubject } from "./subject.ts";

export function followerSuite(subject: SuiteSubject): void {
  const { test } = subject;

  test("1,000 followers of one run see every event", () =>
    withStores(subject, async (open) => {
      const { journal } = await open();
      const writer = await journal.create(runInit());
      const counts = Array.from({ length: 1000 }, async () => {
        let expected = 0;
        for await (const page of journal.followPages(writer.runId)) {
          for (const { seq } of page) assert.equal(seq, expected++);
        }
        return expected;
      });
      writer.write(callStarted());
      for (let i = 0; i < 100; i++) {
        writer.write(delta(`${i} `, i % 2 === 0 ? "text" : "reasoning"));
        if (i % 10 === 0) await writer.committed();
      }
      writer.write(callFinished());
      writer.write(completed());
      await writer.close();
      assert.deepEqual(new Set(await Promise.all(counts)), new Set([104]));
    }));

  test("a run that another process executes can be followed", () =>
    withStores(subject, async (open) => {
      const [here, there] = [await open(), await open()];
      const writer = await there.journal.create(runInit());
      const seen = collect(here.journal.follow(writer.runId));
      for (let i = 0; i < 5; i++) {
        writer.write(i === 0 ? callStarted() : delta(`${i}`, i % 2 === 0 ? "text" : "reasoning"));
        await writer.committed();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      writer.write(callFinished());
      writer.write(completed());
      await writer.close();
      assert.deepEqual(await seen, await there.journal.read(writer.runId));
    }));
}
