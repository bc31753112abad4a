export { cacheKey, memoryCache, type EvalCache } from "./cache.ts";
export { checkSuite, suiteHash, type SuiteProblem } from "./check-suite.ts";
export { compareReports, type ComparedModels } from "./compare.ts";
export { readDataset, type DatasetCase } from "./dataset.ts";
export {
  customEvaluator,
  type CaseRequest,
  type CaseResult,
  type CustomScore,
  type Evaluator,
  type Judged,
  type Judgement,
  type RunCase,
} from "./evaluator.ts";
export { createEvaluator } from "./evaluators.ts";
export { renderHtmlReport } from "./html-report.ts";
export { runSuite, type SuiteOptions, type SuiteProgress } from "./run-suite.ts";
export { signTest, wilsonInterval } from "./statistics.ts";
export { loadSuite, parseSuite, type SuiteOverrides } from "./suite-file.ts";
export { renderTemplate } from "./template.ts";
export { TimedChecks } from "./timed-check.ts";
export {
  EvalCase,
  EvalComparison,
  EvalReport,
  EvalSample,
  EvalSuite,
  EvalSuiteFile,
  type EvalSuiteInput,
  EvalSummary,
  EvaluatorSpec,
  evalLimits,
  Verdict,
} from "@benchtop/protocol";
