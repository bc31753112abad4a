export { Runs, type RecoveredRun, type RunStart, type Settle } from "./runs.ts";
