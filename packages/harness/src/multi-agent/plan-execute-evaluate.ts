import { BenchtopError, type Contract, type Json } from "@benchtop/protocol";
import type { OutputSchema } from "../provider/provider.ts";
import type { RunBody, RunScope } from "../run/scope.ts";
import type { SubRunResult } from "../replay/sub-run-result.ts";
import { startSubRun, type SubRuns } from "./sub-run.ts";

/** The three roles. Each makes the program of one sub-run from what it is asked; planner and evaluator have to give the output named here. */
export interface Roles {
  readonly planner: (input: string, output: OutputSchema) => RunBody;
  readonly executor: (input: string) => RunBody;
  readonly evaluator: (input: string, output: OutputSchema) => RunBody;
}

export interface PlanExecuteEvaluateOptions extends Roles {
  readonly task: string;
  readonly runs: SubRuns;
  /** Plans that are made at most: the first, and one after each answer that was not accepted; 3 when absent. */
  readonly maxRounds?: number;
  /** Steps of one plan at most; 8 when absent. */
  readonly maxSteps?: number;
  /** What one role may use at most, each time it works. */
  readonly roleContract?: Contract;
}

/**
 * A program in which one agent plans, one does each step, and one judges: until the judge accepts, or the rounds are used up.
 * Every role works in a run of its own, named after its round; all share the trace and the budget of this run.
 *
 * A step that fails is told to the next steps and to the judge. A planner or a judge that fails ends the run with its failure.
 * The result is `{ accepted, rounds, feedback }`; the output is what the last round's steps came to.
 */
export function planExecuteEvaluate(options: PlanExecuteEvaluateOptions): RunBody {
  const { task, maxRounds = 3 } = options;
  return async (run) => {
    let feedback = "";
    for (let round = 1; ; round += 1) {
      const plan = await makePlan(run, options, round, feedback);
      const work = await executePlan(run, options, round, plan);
      const verdict = await judge(run, options, round, work);
      feedback = verdict.feedback;
      if (verdict.accepted || round === maxRounds) {
        const answer = work.at(-1)?.output ?? "";
        return { output: answer, result: { accepted: verdict.accepted, rounds: round, feedback, task } };
      }
    }
  };
}

const planSchema: OutputSchema = {
  name: "plan",
  schema: {
    type: "object",
    properties: { steps: { type: "array", minItems: 1, items: { type: "string", minLength: 1 } } },
    required: ["steps"],
    additionalProperties: false,
  },
};

const verdictSchema: OutputSchema = {
  name: "verdict",
  schema: {
    type: "object",
    properties: { accepted: { type: "boolean" }, feedback: { type: "string" } },
    required: ["accepted", "feedback"],
    additionalProperties: false,
  },
};

interface Work {
  readonly step: string;
  readonly output: string;
}

async function makePlan(
  run: RunScope,
  options: PlanExecuteEvaluateOptions,
  round: number,
  feedback: string,
): Promise<readonly string[]> {
  const { task, maxSteps = 8 } = options;
  const again = feedback === "" ? "" : `\n\nAn earlier attempt was not accepted:\n${feedback}`;
  const input = `Plan how to do this in at most ${maxSteps} steps. The last step gives the final answer.\n\n${task}${again}`;
  const { steps } = await answered<{ steps: string[] }>(
    run,
    options,
    `planner ${round}`,
    options.planner(input, planSchema),
    input,
  );
  return steps.slice(0, maxSteps);
}

async function executePlan(
  run: RunScope,
  options: PlanExecuteEvaluateOptions,
  round: number,
  plan: readonly string[],
): Promise<Work[]> {
  const work: Work[] = [];
  for (const [place, step] of plan.entries()) {
    const input = `The whole task:\n${options.task}\n\nDone so far:\n${report(work)}\n\nDo this step now:\n${step}`;
    const name = `executor ${round}.${place + 1}`;
    const done = await subRun(run, options, name, options.executor(input), input);
    work.push({ step, output: done.status === "success" ? done.output : `This step failed: ${causeOf(done)}` });
  }
  return work;
}

async function judge(
  run: RunScope,
  options: PlanExecuteEvaluateOptions,
  round: number,
  work: readonly Work[],
): Promise<{ accepted: boolean; feedback: string }> {
  const input = `Judge whether this does the task. Say what is missing or wrong.\n\nThe task:\n${options.task}\n\nWhat was done:\n${report(work)}`;
  return await answered(run, options, `evaluator ${round}`, options.evaluator(input, verdictSchema), input);
}

/** The output of a role without which the run cannot go on. */
async function answered<Result extends Json>(
  run: RunScope,
  options: PlanExecuteEvaluateOptions,
  name: string,
  body: RunBody,
  input: string,
): Promise<Result> {
  const done = await subRun(run, options, name, body, input);
  if (done.status === "success" && done.result !== undefined) return done.result as Result;
  if (done.error) throw BenchtopError.of(done.error);
  throw new BenchtopError("VALIDATION_FAILED", `The ${name} gave no output of the schema that it was asked for.`);
}

function subRun(
  run: RunScope,
  { runs, roleContract }: PlanExecuteEvaluateOptions,
  name: string,
  body: RunBody,
  input: string,
): Promise<SubRunResult> {
  return startSubRun(run, runs, {
    name,
    body,
    input: { task: input },
    ...(roleContract && { contract: roleContract }),
  });
}

function report(work: readonly Work[]): string {
  if (work.length === 0) return "Nothing yet.";
  return work.map(({ step, output }, place) => `${place + 1}. ${step}\n${output}`).join("\n\n");
}

function causeOf({ error }: SubRunResult): string {
  return error ? `${error.message} (${error.error_code})` : "for an unknown reason";
}
