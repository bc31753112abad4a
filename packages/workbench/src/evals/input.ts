import type { EvalSuite, Json } from "@benchtop/protocol";

/** Artifacts of an evaluation beside its reports. The summary is small, so that lists can read it. */
export const suiteName = "suite.json";
export const summaryName = "summary.json";

/** What `RunStarted` says of an evaluation; the suite itself is a blob. */
export function inputOf(suite: EvalSuite, sha256: string): Json {
  const { name, models, repeat, cases } = suite;
  return { task: name, suite: sha256, models: [...models], cases: cases.length, repeat };
}

export function readInput(input: Json): {
  name: string;
  sha256: string;
  models: string[];
  cases: number;
  repeat: number;
} {
  const fields = typeof input === "object" && input !== null && !Array.isArray(input) ? input : {};
  const { task, suite, models, cases, repeat } = fields;
  return {
    name: typeof task === "string" ? task : "",
    sha256: typeof suite === "string" ? suite : "",
    models: Array.isArray(models) ? models.filter((model) => typeof model === "string") : [],
    cases: typeof cases === "number" ? cases : 0,
    repeat: typeof repeat === "number" ? repeat : 1,
  };
}
