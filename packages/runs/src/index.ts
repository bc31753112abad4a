export {
  Runs,
  type Program,
  type ProgramOf,
  type RecoveredRun,
  type RunStart,
  type Settle,
  workspaceOf,
} from "./runs.ts";
