import type { Scenario } from "../scenario.ts";
import { agentRun } from "./agent-run.ts";
import { add, createAndDelete, discard, draftRun, firstStart, publish, remove, restore } from "./files.ts";

export const scenarios: readonly Scenario[] = [
  publish,
  restore,
  draftRun,
  agentRun,
  add,
  remove,
  createAndDelete,
  discard,
  firstStart,
];
