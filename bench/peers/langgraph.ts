/**
 * LangGraph.js: the prebuilt agent with the SQLite checkpointer and `durability: "sync"`, its strictest mode (a checkpoint is
 * written before the next step starts). A sub-agent is a tool that invokes another agent, as its documentation shows.
 */
import { join } from "node:path";
import { HumanMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { Command, interrupt } from "@langchain/langgraph";
import { SqliteSaver } from "@langchain/langgraph-checkpoint-sqlite";
import { createReactAgent } from "@langchain/langgraph/prebuilt";
import { ChatOpenAI } from "@langchain/openai";
import { z } from "zod";
import {
  effect,
  hear,
  stateOf,
  toolsOf,
  type BenchTool,
  type Contender,
  type Job,
  type Outcome,
} from "../compared/contender.ts";
import { toolDescription, type Measured } from "../harness/measured.ts";

export const contender: Contender = {
  start: (job, signal) => drive(job, { messages: [new HumanMessage("Go.")] }, signal),
  resume: (job, signal) => drive(job, null, signal),
  approve: (job, signal) => drive(job, new Command({ resume: "approve" }), signal),
  async read(job) {
    const { values } = await agentOf(job).getState(configOf(job));
    const messages = (values as { messages?: { getType(): string; text: string }[] }).messages ?? [];
    return messages
      .filter((message) => message.getType() === "ai")
      .map(({ text }) => text)
      .join("");
  },
};

const configOf = (job: Job) => ({
  configurable: { thread_id: job.runId },
  recursionLimit: 10_000,
  durability: job.keepsOnlyLast === true ? ("exit" as const) : ("sync" as const),
});

async function drive(job: Job, input: unknown, signal: AbortSignal): Promise<Outcome> {
  const agent = agentOf(job);
  let text = "";
  const stream = await agent.stream(input as never, { ...configOf(job), signal, streamMode: "messages" });
  for await (const [chunk] of stream as AsyncIterable<[{ getType(): string; text: string }]>) {
    if (chunk.getType() !== "ai") continue;
    text += chunk.text;
    hear(job, chunk.text);
  }
  const { next, tasks } = await agent.getState(configOf(job));
  const waits = next.length > 0 && tasks.some((task) => task.interrupts.length > 0);
  return { status: waits ? "suspended" : "finished", text };
}

let saver: SqliteSaver | undefined;

function agentOf(job: Job) {
  saver ??= SqliteSaver.fromConnString(join(stateOf(job), "checkpoints.db"));
  const tools = [...toolsOf(job).map((own) => toolOf(job, own)), ...(job.helper ? [helperOf(job, job.helper)] : [])];
  const llm = modelOf(job.baseUrl);
  // "v2" makes each tool call a task of its own, so that finished ones are kept when another is interrupted.
  return createReactAgent({ llm, tools, prompt: job.instructions, checkpointSaver: saver, version: "v2" });
}

export function modelOf(baseUrl: string): ChatOpenAI {
  return new ChatOpenAI({ model: "scripted", apiKey: "none", streaming: true, configuration: { baseURL: baseUrl } });
}

function toolOf(job: Job, own: BenchTool) {
  return tool(
    async ({ n }: { n: number }, config) => {
      if (own.name === job.approve) {
        if (job.askInside === true) effect(job, `before the question ${n}`);
        interrupt(`May ${own.name} ${n} run?`);
      }
      return own.execute(n, config.signal);
    },
    { name: own.name, description: own.description, schema: z.object({ n: z.number() }) },
  );
}

function helperOf(job: Job, { baseUrl, tools: names }: NonNullable<Job["helper"]>) {
  const tools = toolsOf(job, names).map((own) => toolOf(job, own));
  const agent = createReactAgent({ llm: modelOf(baseUrl), tools });
  return tool(
    async (_: { task: string }, config) => {
      const { messages } = await agent.invoke({ messages: [new HumanMessage("Help.")] }, config);
      return messages.at(-1)?.text ?? "";
    },
    { name: "helper", description: "Asks a helper.", schema: z.object({ task: z.string() }) },
  );
}

/** The same agent with the checkpointer's default (`durability: "async"`), one thread a run. */
export const measured: Measured = {
  name: "LangGraph.js, SQLite checkpointer",
  async open(folder) {
    const checkpointSaver = SqliteSaver.fromConnString(join(folder, "checkpoints.db"));
    let executed = 0;
    let threads = 0;
    const noop = tool(
      async () => {
        executed += 1;
        return "ok";
      },
      { name: "noop", description: toolDescription, schema: z.object({ n: z.number() }) },
    );
    const run = async (baseUrl: string, tools: readonly (typeof noop)[], hear: (text: string) => void) => {
      const agent = createReactAgent({ llm: modelOf(baseUrl), tools: [...tools], checkpointSaver, version: "v2" });
      threads += 1;
      const config = { configurable: { thread_id: String(threads) }, recursionLimit: 10_000 };
      const input = { messages: [new HumanMessage("Go.")] };
      const stream = await agent.stream(input, { ...config, streamMode: "messages" });
      for await (const [chunk] of stream as AsyncIterable<[{ getType(): string; text: string }]>) {
        if (chunk.getType() === "ai") hear(chunk.text);
      }
    };
    return {
      answer: (baseUrl, hear) => run(baseUrl, [], hear),
      async callTools(baseUrl) {
        executed = 0;
        await run(baseUrl, [noop], () => undefined);
        return executed;
      },
      close: async () => undefined,
    };
  },
};
