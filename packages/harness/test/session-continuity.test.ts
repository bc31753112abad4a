import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, type Store } from "@benchtop/store";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Harness } from "../src/index.ts";
import { ends, says, scriptedProvider } from "./scripted-provider.ts";
import { finished } from "./started-runs.ts";

const sessionId = "session_of_before";
let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "benchtop-session-"));
});
afterEach(() => rm(home, { recursive: true }));

function harnessOn(store: Store) {
  const provider = scriptedProvider([says("Thursday."), ends()]);
  const harness = Harness.builder()
    .provider(provider)
    .journal(store.journal)
    .sessions(store.ledger)
    .memory(store.memory)
    .build();
  return { harness, provider };
}

/** Kills a process in the middle of its second turn. */
async function killedInTheMiddle(): Promise<void> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "session-process.ts"), home, sessionId], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const chunk of child.stdout) {
    if (String(chunk).includes("half")) break;
  }
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

test("H5 a session goes on after its process was killed in the middle of an answer: nothing is lost, nothing said twice", async () => {
  await killedInTheMiddle();
  const store = await openStore({ home });
  try {
    const { harness, provider } = harnessOn(store);
    const session = harness.session({ model: "scripted/m", sessionId, userId: "ada" });
    await finished(await session.run("When is it?").start());
    await finished(await session.run("Sure?").start());
    const said = provider.requests.map(({ messages }) => messages.map(({ role, content }) => [role, content]));
    const before = [
      ["user", "The meeting is on Thursday."],
      ["assistant", ""],
      ["tool", "Remembered."],
      ["assistant", "I noted it."],
      ["user", "Go on."],
      ["assistant", "As I was "],
    ];
    expect(said[0]).toEqual([...before, ["user", "When is it?"]]);
    expect(said[1]).toEqual([...before, ["user", "When is it?"], ["assistant", "Thursday."], ["user", "Sure?"]]);
  } finally {
    await store.close();
  }
});

test("H5 what one process remembered, the next one is told in another session of the same person, and of no other", async () => {
  await killedInTheMiddle();
  const store = await openStore({ home });
  try {
    const { harness, provider } = harnessOn(store);
    await finished(
      await harness.session({ model: "scripted/m", userId: "ada" }).run("What day is the meeting?").start(),
    );
    await finished(
      await harness.session({ model: "scripted/m", userId: "bob" }).run("What day is the meeting?").start(),
    );
    expect(provider.requests[0]?.messages[0]?.content).toContain("The meeting is on Thursday.");
    expect(provider.requests[1]?.messages).toEqual([{ role: "user", content: "What day is the meeting?" }]);
  } finally {
    await store.close();
  }
});
