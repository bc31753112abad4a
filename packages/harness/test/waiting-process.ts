/** A process that starts a run on a durable journal, says its id once it waits for a person, and goes on living. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openStore } from "@benchtop/store";
import { approval } from "../src/index.ts";
import { calls, ends, says, scriptedProvider } from "./scripted-provider.ts";
import { startAgent } from "./started-runs.ts";

const home = process.argv[2] ?? "";
const store = await openStore({ home });
const handle = await startAgent(
  {
    provider: scriptedProvider([says("I will pay."), calls("pay", { euros: 5 }, "c1"), ends()]),
    tools: [
      {
        name: "pay",
        description: "Pays.",
        inputSchema: { type: "object" },
        effects: "external",
        idempotent: false,
        execute: async () => {
          writeFileSync(join(home, "paid"), "");
          return { content: "paid" };
        },
      },
    ],
    gates: [approval({ mode: "enforcing", effects: ["external"] })],
  },
  { journal: store.journal },
);
const { status } = await handle.result;
if (status === "suspended") console.log(handle.runId);
setInterval(() => {}, 60_000);
