import type { EventOf, RunEvent, RunEventType } from "@benchtop/protocol";
import { expect, test } from "vitest";
import { openStage, type Stage } from "./stage.ts";

/** H5 What the agents of a workbench remember: where it was turned on, for that workbench, under its consent. */

const someone = { userId: "someone", workspaceId: "default" };
const remember = (...texts: (string | [key: string, text: string])[]) => ({
  calls: texts.map((each) => ({
    name: "remember",
    arguments: typeof each === "string" ? { text: each } : { key: each[0], text: each[1] },
  })),
});

async function remembering(name = "w"): Promise<{ stage: Stage; workbenchId: string }> {
  const stage = await openStage();
  const { workbenchId } = await stage.workbenches.create({ name, ...someone });
  await stage.workbenches.memory.set({ workbenchId, enabled: true });
  return { stage, workbenchId };
}

function allOf<Type extends RunEventType>(events: readonly RunEvent[], type: Type): EventOf<Type>[] {
  return events.filter((event): event is EventOf<Type> => event.type === type);
}

async function texts(stage: Stage, workbenchId: string): Promise<string[]> {
  const { items } = await stage.workbenches.memory.list({ workbenchId, limit: 50 });
  return items.map(({ text }) => text).toSorted();
}

const lastPrompt = (stage: Stage) => JSON.stringify(stage.model.requests.at(-1)?.messages);
const toolsOffered = (stage: Stage) => stage.model.requests.at(-1)?.tools?.map((tool) => tool.function.name) ?? [];

test("H5 agents remember nothing until somebody turns it on", async () => {
  await using stage = await openStage();
  const { workbenchId, memory } = await stage.workbenches.create({ name: "w", ...someone });
  expect(memory).toBe(false);
  stage.model.script(remember("The rent is 700."));
  const events = await stage.agent(workbenchId);
  expect(allOf(events, "MemoryRetrieved")).toEqual([]);
  expect(allOf(events, "MemoryWritten")).toEqual([]);
  expect(toolsOffered(stage)).not.toContain("remember");
  expect(await stage.workbenches.memory.list({ workbenchId, limit: 10 })).toMatchObject({ enabled: false, items: [] });
});

test("H5 what one run remembers the next is reminded of, and both can be replayed after it was forgotten", async () => {
  const { stage, workbenchId } = await remembering();
  await using _ = stage;
  stage.model.script(remember("The landlord prefers letters to mail.", ["currency", "in euros"]));
  const first = await stage.agent(workbenchId, "who is the landlord?");
  expect(allOf(first, "MemoryWritten").map(({ lane }) => lane)).toEqual(["episodic", "working"]);

  const second = await stage.agent(workbenchId, "write to the landlord");
  expect(second[0]).toMatchObject({ input: { memory: true } });
  expect(allOf(second, "MemoryRetrieved").map(({ lane, items }) => [lane, items.map(({ text }) => text)])).toEqual([
    ["working", ["currency: in euros"]],
    ["episodic", ["The landlord prefers letters to mail."]],
  ]);
  expect(lastPrompt(stage)).toContain("prefers letters");

  await stage.workbenches.memory.clear({ workbenchId });
  const asked = stage.model.requests.length;
  for (const [event] of [first, second]) {
    const { report } = await stage.workbenches.replay({ runId: event?.runId ?? "", ...someone });
    expect(report).toMatchObject({ outcome: "identical" });
  }
  expect(stage.model.requests).toHaveLength(asked);
  expect(await texts(stage, workbenchId)).toEqual([]);
});

test("H5 undoing a run forgets what it remembered, and what it overwrote comes back", async () => {
  const { stage, workbenchId } = await remembering();
  await using _ = stage;
  stage.model.script(remember(["currency", "in euros"]));
  await stage.agent(workbenchId);
  stage.model.script(remember(["currency", "in dollars"], "The rent is 700."));
  const [started] = await stage.agent(workbenchId);
  expect(await texts(stage, workbenchId)).toEqual(["The rent is 700.", "in dollars"]);
  const { runId } = await stage.workbenches.undo({ runId: started?.runId ?? "", ...someone });
  expect(allOf(await stage.journal(runId), "Compensated").map(({ outcome }) => outcome)).toEqual([
    "success",
    "success",
  ]);
  expect(await texts(stage, workbenchId)).toEqual(["in euros"]);
});

test("H5 a workbench is not told what another remembers, and nobody is told what a deleted one did", async () => {
  const { stage, workbenchId } = await remembering();
  await using _ = stage;
  const { workbenches } = stage;
  const other = await workbenches.create({ name: "other", ...someone });
  await workbenches.memory.set({ workbenchId: other.workbenchId, enabled: true });
  stage.model.script(remember("The rent is 700."));
  await stage.agent(workbenchId);
  const [memory] = (await workbenches.memory.list({ workbenchId, limit: 10 })).items;
  await stage.agent(other.workbenchId, "what is the rent?");
  expect(lastPrompt(stage)).not.toContain("700");
  const elsewhere = { workbenchId: other.workbenchId, memoryId: memory?.id ?? "" };
  expect(await workbenches.memory.forget(elsewhere)).toEqual({ forgotten: false });

  await workbenches.delete({ workbenchId });
  expect(await stage.store.memory.count(`workbench:${workbenchId}`)).toBe(0);
  const question = { lane: "episodic", scope: `workbench:${workbenchId}`, query: "rent" } as const;
  expect((await stage.store.memory.retrieve(question)).items).toEqual([]);
});

test("H5 a person reads what is remembered, page by page, and forgets one thing of it", async () => {
  const { stage, workbenchId } = await remembering();
  await using _ = stage;
  const { memory } = stage.workbenches;
  stage.model.script(remember("one", "two", "three"));
  await stage.agent(workbenchId);
  const page = await memory.list({ workbenchId, limit: 2 });
  const rest = await memory.list({ workbenchId, limit: 2, cursor: page.nextCursor ?? "" });
  expect([...page.items, ...rest.items].map(({ text }) => text).toSorted()).toEqual(["one", "three", "two"]);
  expect(rest.nextCursor).toBeNull();
  const gone = page.items[0];
  expect(await memory.forget({ workbenchId, memoryId: gone?.id ?? "" })).toEqual({ forgotten: true });
  expect(await texts(stage, workbenchId)).not.toContain(gone?.text);
  expect(await memory.clear({ workbenchId })).toEqual({ forgotten: 2 });
});

test("S7 whoever agreed to the files alone is asked again when memory is turned on", async () => {
  await using stage = await openStage();
  const { workbenches } = stage;
  const { workbenchId } = await workbenches.create({ name: "w", ...someone });
  const status = async () => await workbenches.consentStatus({ workbenchId, model: "far/large" });
  const agree = async () => {
    const grant = { workbenchId, providerId: "far", modelId: "large", persist: true, ...someone };
    await workbenches.grantConsent({ ...grant, scopeHash: (await status()).scopeHash });
  };
  const publish = async (content: string) => {
    stage.model.script({ calls: [{ name: "write_file", arguments: { path: "a.txt", content } }] });
    await stage.agent(workbenchId);
    await workbenches.publish({ workbenchId, wait: true, ...someone });
  };
  await agree();
  expect(await status()).toMatchObject({ consented: true, memories: 0 });

  await workbenches.memory.set({ workbenchId, enabled: true });
  stage.model.script(remember("The rent is 700."));
  await stage.agent(workbenchId);
  expect(await status()).toMatchObject({ consented: false, memories: 1 });
  const { runId } = await workbenches.runAgent({ workbenchId, task: "rent?", model: "far/large", ...someone });
  expect((await stage.journal(runId)).map(({ type }) => type)).toEqual(["RunStarted", "ConsentRequired", "Error"]);
  expect(stage.sent.map(({ providerId }) => providerId)).not.toContain("far");

  // A kept consent with memory follows what is published as one without does.
  await publish("a");
  await agree();
  await publish("b");
  expect(await status()).toMatchObject({ consented: true, persisted: true });
});
