export { closingEvents, interruptionOf, totalsOf } from "./interrupted.ts";
export { Runs, type RecoveredRun, type RunStart, type Settle } from "./runs.ts";
