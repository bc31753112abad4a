import type { Scenario } from "../scenario.ts";
import { agentRun } from "./agent-run.ts";
import { proposed, rewind } from "./conversation.ts";
import { add, createAndDelete, discard, draftRun, firstStart, publish, remove, restore } from "./files.ts";
import { writeBack } from "./write-back.ts";

export const scenarios: readonly Scenario[] = [
  publish,
  restore,
  draftRun,
  proposed,
  rewind,
  agentRun,
  add,
  remove,
  writeBack,
  createAndDelete,
  discard,
  firstStart,
];
