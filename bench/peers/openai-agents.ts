/**
 * OpenAI Agents SDK: a streamed run. It stores nothing itself; `RunState` is its documented serialisation (for approvals and
 * for resuming), which this writes to a file after every item of the run. A sub-agent is `agent.asTool()`.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Agent, OpenAIChatCompletionsModel, run, RunState, setTracingDisabled, tool } from "@openai/agents";
import OpenAI from "openai";
import { z } from "zod";
import {
  hear,
  stateOf,
  toolsOf,
  type BenchTool,
  type Contender,
  type Job,
  type Outcome,
} from "../compared/contender.ts";
import { toolDescription, type Measured } from "../harness/measured.ts";

setTracingDisabled(true);

export const contender: Contender = {
  start: (job, signal) => drive(job, agentOf(job), "Go.", signal),
  resume: (job, signal) => resume(job, false, signal),
  approve: (job, signal) => resume(job, true, signal),
  async read(job) {
    if (!existsSync(fileOf(job))) return "";
    const state = await RunState.fromString(agentOf(job), readFileSync(fileOf(job), "utf8"));
    return state.history
      .map((item) => ("role" in item && item.role === "assistant" ? item.content : []))
      .flatMap((content) =>
        typeof content === "string" ? [content] : content.map((part) => ("text" in part ? part.text : "")),
      )
      .join("");
  },
};

const fileOf = (job: Job): string => join(stateOf(job), "run-state.json");

async function resume(job: Job, approve: boolean, signal: AbortSignal): Promise<Outcome> {
  if (!existsSync(fileOf(job))) return { status: "refused", text: "", error: "no stored state" };
  const agent = agentOf(job);
  const state = await RunState.fromString(agent, readFileSync(fileOf(job), "utf8"));
  if (approve) for (const interruption of state.getInterruptions()) state.approve(interruption);
  return drive(job, agent, state, signal);
}

async function drive(
  job: Job,
  agent: Agent,
  input: string | RunState<unknown, Agent>,
  signal: AbortSignal,
): Promise<Outcome> {
  const stream = await run(agent, input as string, { stream: true, signal, maxTurns: 1000 });
  const save = (): void => {
    writeFileSync(`${fileOf(job)}.${process.pid}`, stream.state.toString());
    renameSync(`${fileOf(job)}.${process.pid}`, fileOf(job));
  };
  let text = "";
  try {
    for await (const event of stream) {
      if (event.type === "raw_model_stream_event" && event.data.type === "output_text_delta") {
        text += event.data.delta;
        hear(job, event.data.delta);
      }
      if (event.type === "run_item_stream_event") save();
    }
    await stream.completed;
  } catch (thrown) {
    save();
    if (signal.aborted) return { status: "canceled", text };
    throw thrown;
  }
  save();
  if (signal.aborted) return { status: "canceled", text };
  return { status: (stream.interruptions ?? []).length > 0 ? "suspended" : "finished", text };
}

export function modelOf(baseUrl: string) {
  return new OpenAIChatCompletionsModel(new OpenAI({ baseURL: baseUrl, apiKey: "none" }), "scripted");
}

function agentOf(job: Job): Agent {
  const tools = [...toolsOf(job).map((own) => toolOf(job, own)), ...(job.helper ? [helperOf(job, job.helper)] : [])];
  return new Agent({ name: "bench", instructions: job.instructions, model: modelOf(job.baseUrl), tools });
}

function toolOf(job: Job, own: BenchTool) {
  return tool({
    name: own.name,
    description: own.description,
    parameters: z.object({ n: z.number() }),
    needsApproval: own.name === job.approve,
    execute: ({ n }, _, details) => own.execute(n, details?.signal),
  });
}

function helperOf(job: Job, { baseUrl, tools: names }: NonNullable<Job["helper"]>) {
  const tools = toolsOf(job, names).map((own) => toolOf(job, own));
  const agent = new Agent({ name: "helper-agent", model: modelOf(baseUrl), tools });
  return agent.asTool({
    toolName: "helper",
    toolDescription: "Asks a helper.",
    parameters: z.object({ task: z.string() }),
  });
}

/** The streamed run as it comes: nothing is stored, tracing off. */
export const measured: Measured = {
  name: "OpenAI Agents SDK, nothing stored",
  async open() {
    let executed = 0;
    const noop = tool({
      name: "noop",
      description: toolDescription,
      parameters: z.object({ n: z.number() }),
      execute: async () => {
        executed += 1;
        return "ok";
      },
    });
    const stream = async (baseUrl: string, tools: (typeof noop)[], hear: (text: string) => void) => {
      const agent = new Agent({ name: "bench", model: modelOf(baseUrl), tools });
      const stream = await run(agent, "Go.", { stream: true, maxTurns: 1000 });
      for await (const piece of stream.toTextStream()) hear(piece);
      await stream.completed;
    };
    return {
      answer: (baseUrl, hear) => stream(baseUrl, [], hear),
      async callTools(baseUrl) {
        executed = 0;
        await stream(baseUrl, [noop], () => undefined);
        return executed;
      },
      close: async () => undefined,
    };
  },
};
