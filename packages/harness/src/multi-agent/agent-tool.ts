import type { Json } from "@benchtop/protocol";
import type { RunBody } from "../run/scope.ts";
import type { Tool, ToolContext, ToolOutput } from "../tools/tool.ts";
import { startSubRun, type SubRun, type SubRuns } from "./sub-run.ts";

export interface AgentToolOptions {
  /** The tool's name, and the child's in the parent's journal. */
  readonly name: string;
  /** What the agent is good for: how the model decides to ask it. */
  readonly description: string;
  /** The program of the agent for a task. */
  readonly agent: (task: string, context: ToolContext) => RunBody | Promise<RunBody>;
  readonly runs: SubRuns;
  readonly contract?: SubRun["contract"];
  readonly model?: string;
  /** True when agents asked in one answer may work at the same time. */
  readonly concurrent?: boolean;
}

const taskSchema = {
  type: "object",
  properties: { task: { type: "string", minLength: 1, description: "What to do, with everything it needs to know." } },
  required: ["task"],
  additionalProperties: false,
} as const satisfies Json;

/**
 * An agent as a tool of another: the model hands it a task and is told its answer. It works in a run of its own; when it
 * fails, the model is told so, with the cause, and may do without it.
 */
export function agentTool(options: AgentToolOptions): Tool {
  return toolOf(options, false);
}

/** An agent that takes over: its answer is the run's, and the model that handed off is not asked again. */
export function handOffTool(options: AgentToolOptions): Tool {
  return toolOf(options, true);
}

function toolOf(options: AgentToolOptions, endsRun: boolean): Tool {
  const { name, description, concurrent = false } = options;
  return {
    name,
    description,
    inputSchema: taskSchema,
    effects: "external",
    // Its run has an id of its own that follows from the call: repeated, it goes on where it was.
    idempotent: true,
    concurrent: concurrent && !endsRun,
    endsRun,
    // The run that it starts has limits of its own.
    timeoutMs: 0,
    execute: async (input, context) => await execute(options, (input as { task: string }).task, context),
  };
}

async function execute(options: AgentToolOptions, task: string, context: ToolContext): Promise<ToolOutput> {
  const { name, contract, model, runs } = options;
  const { status, output, error } = await startSubRun(context.run, runs, {
    name,
    callId: context.callId,
    body: await options.agent(task, context),
    input: { task },
    ...(contract && { contract }),
    ...(model !== undefined && { model }),
  });
  if (status === "success") return { content: output };
  const cause = error ? `${error.message} (${error.error_code})` : "for an unknown reason";
  return { content: `The agent "${name}" could not do it: ${cause}`, isError: true };
}
