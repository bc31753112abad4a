/**
 * A run is recorded, its process closes everything, and another one replays it without a model, sees what other instructions
 * would have changed, and takes back what its tool did. `node examples/replay-and-undo.ts [--loopback]`
 */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Harness, type Tool } from "@benchtop/harness";
import { openStore } from "@benchtop/store";
import { exampleModel } from "./loopback/model.ts";

const home = await mkdtemp(join(tmpdir(), "benchtop-replay-"));
const files = await mkdtemp(join(tmpdir(), "benchtop-files-"));
const pathOf = (input: unknown): string => join(files, (input as { name: string }).name);
const write: Tool = {
  name: "write_note",
  description: "Writes a new note.",
  inputSchema: {
    type: "object",
    properties: { name: { type: "string", pattern: "^[a-z]+$" }, text: { type: "string" } },
    required: ["name", "text"],
    additionalProperties: false,
  },
  effects: "external",
  idempotent: true,
  async execute(input) {
    await writeFile(pathOf(input), (input as { text: string }).text);
    return { content: "written" };
  },
  compensate: (input) => rm(pathOf(input), { force: true }),
};
const call = { id: "call_1", name: "write_note", pieces: ['{"name": "shopping", "text": "tea"}'] };
const model = await exampleModel([{ toolCalls: [call] }, { text: ["It is noted."] }]);
const config = { model: model.ref, instructions: "Use the tool, then answer briefly." };

const runId = await withHarness(async (harness) => {
  const run = await harness.session(config).run('Write a note "shopping" that says: tea.').start();
  const { output, error } = await run.result;
  console.log(error ? `${error.code}: ${error.message}` : output, await readdir(files));
  return run.runId;
});
await withHarness(async (harness) => {
  const { outcome, events } = await harness.replay(runId, config);
  console.log(`replayed: ${outcome}, ${events} events`);
  const other = await harness.replay(runId, { ...config, instructions: "Answer at length." });
  console.log(`with other instructions: ${other.divergence?.message ?? other.outcome}`);
  const undo = await harness.undo(runId);
  console.log((await undo.result).output, await readdir(files));
});
await model.close();
for (const folder of [home, files]) await rm(folder, { recursive: true });

async function withHarness<Result>(work: (harness: Harness) => Promise<Result>): Promise<Result> {
  const store = await openStore({ home });
  const builder = Harness.builder().provider(model.provider).tools([write]);
  const result = await work(builder.journal(store.journal).sessions(store.ledger).build());
  await store.close();
  return result;
}
