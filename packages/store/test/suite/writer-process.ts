/**
 * A process to be killed: writes four runs at once until then, and prints `RUN SEQ` whenever it is told that the
 * journal of RUN is committed up to SEQ. `process.argv[2]` holds the store's options.
 */
import { writeSync } from "node:fs";
import { openStore, type StoreOptions } from "../../src/store.ts";
import { callStarted, delta, runInit } from "@benchtop/harness/journal-suite";

const store = await openStore(JSON.parse(process.argv[2] ?? "{}") as StoreOptions);
await Promise.all(Array.from({ length: 4 }, () => writeForever()));

async function writeForever(): Promise<never> {
  const writer = await store.journal.create(runInit());
  let seq = 0;
  const acknowledge = () => writeSync(1, `${writer.runId} ${seq}\n`);
  acknowledge();
  writer.write(callStarted());
  seq += 1;
  for (let round = 0; ; round++) {
    for (let i = 0; i <= round % 30; i++, seq++) writer.write(delta(`${seq} `, i % 2 === 0 ? "text" : "reasoning"));
    await writer.committed();
    acknowledge();
  }
}
