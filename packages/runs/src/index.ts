export { Runs, type Program, type ProgramOf, type RecoveredRun, type RunStart, type Settle } from "./runs.ts";
