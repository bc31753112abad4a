/**
 * The process that is struck: `child.ts act SCENARIO HOME FACTS` works, `child.ts recover HOME` starts up. What it was told
 * goes to standard output at once, by a plain write that no kill can hold back.
 */
import { writeSync } from "node:fs";
import { startUp } from "./product.ts";
import type { Acknowledgement, Facts } from "./scenario.ts";

const [command, ...rest] = process.argv.slice(2);
if (command === "act") {
  const { scenarios } = await import("./scenarios/index.ts");
  const [name, home = "", facts = "{}"] = rest;
  await scenarios.find((scenario) => scenario.name === name)?.act(home, JSON.parse(facts) as Facts, say);
} else if (command === "recover") {
  await using _product = await startUp(rest[0] ?? "");
}

function say(acknowledgement: Acknowledgement): void {
  writeSync(1, `${JSON.stringify(acknowledgement)}\n`);
}
