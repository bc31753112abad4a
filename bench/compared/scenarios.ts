import type { Scenario } from "./lab.ts";
import { approval } from "./scenarios/approval.ts";
import { cancelledChildren } from "./scenarios/cancelled-children.ts";
import { changedCode } from "./scenarios/changed-code.ts";
import { crashInTool } from "./scenarios/crash-in-tool.ts";
import { failedHelper } from "./scenarios/failed-helper.ts";
import { longRun } from "./scenarios/long-run.ts";
import { partialOutput } from "./scenarios/partial-output.ts";
import { retryStorm } from "./scenarios/retry-storm.ts";
import { twoResumes } from "./scenarios/two-resumes.ts";

/** In the order of the table. */
export const scenarios: readonly Scenario[] = [
  partialOutput,
  twoResumes,
  crashInTool,
  approval,
  longRun,
  failedHelper,
  changedCode,
  cancelledChildren,
  retryStorm,
];
