export {
  Runs,
  type Program,
  type ProgramOf,
  type RecoveredRun,
  type ReportFailure,
  type RunStart,
  type Settle,
  workspaceOf,
} from "./runs.ts";
