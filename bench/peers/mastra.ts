/**
 * Mastra: `createDurableAgent` (beta) on a `Mastra` with LibSQL storage and `recovery: { durableAgents: "auto" }`, its setting
 * for surviving crashes, with a memory thread for the conversation. A sub-agent is in the agent's `agents`.
 */
import { join } from "node:path";
import { Mastra } from "@mastra/core";
import { Agent } from "@mastra/core/agent";
import { createDurableAgent } from "@mastra/core/agent/durable";
import { createTool } from "@mastra/core/tools";
import { LibSQLStore } from "@mastra/libsql";
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
  async start(job, signal) {
    const { agent } = agentOf(job);
    return collect(
      job,
      await agent.stream("Go.", {
        runId: job.runId,
        maxSteps: 1000,
        modelSettings: { maxRetries: 2 },
        abortSignal: signal,
      }),
      signal,
    );
  },
  async resume(job, signal) {
    const { agent } = agentOf(job);
    return collect(job, await agent.recover(job.runId), signal);
  },
  async approve(job, signal) {
    const { agent } = agentOf(job);
    return collect(job, await agent.resume(job.runId, { approved: true }), signal);
  },
  async read(job) {
    const { mastra } = agentOf(job);
    const workflows = await mastra.getStorage()?.getStore("workflows");
    const { runs = [] } = (await workflows?.listWorkflowRuns()) ?? {};
    return runs.map(({ snapshot }) => JSON.stringify(snapshot)).join("\n");
  },
};

interface Streamed {
  readonly fullStream: AsyncIterable<{ readonly type: string; readonly payload?: unknown }>;
  abort?(): void;
}

async function collect(job: Job, streamed: unknown, signal: AbortSignal): Promise<Outcome> {
  const { fullStream } = streamed as Streamed;
  let text = "";
  let suspended = false;
  let error: string | undefined;
  for await (const { type, payload } of fullStream) {
    const said = payload as { text?: string; error?: unknown } | undefined;
    if (type === "text-delta") {
      text += said?.text ?? "";
      hear(job, said?.text ?? "");
    }
    if (type === "error") error = said?.error instanceof Error ? said.error.message : JSON.stringify(said?.error);
    if (type === "tool-call-approval" || type === "tool-call-suspended") {
      suspended = true;
      break;
    }
    if (signal.aborted) break;
  }
  if (signal.aborted) return { status: "canceled", text };
  if (suspended) {
    // The snapshot is written after the chunk that announces it.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return { status: "suspended", text };
  }
  return error === undefined ? { status: "finished", text } : { status: "failed", text, error: error.slice(0, 300) };
}

function agentOf(job: Job) {
  const tools = Object.fromEntries(toolsOf(job).map((own) => [own.name, toolOf(job, own)]));
  const inner = new Agent({
    id: "bench",
    name: "bench",
    instructions: job.instructions,
    model: modelOf(job.baseUrl),
    maxRetries: 2,
    tools,
    ...(job.helper && { agents: { helper: helperOf(job, job.helper) } }),
  });
  const agent = createDurableAgent({ agent: inner, maxSteps: 1000 });
  const mastra = new Mastra({
    agents: { bench: agent },
    storage: new LibSQLStore({ id: "bench", url: `file:${join(stateOf(job), "mastra.db")}` }),
    recovery: { durableAgents: "auto" },
    logger: false,
  });
  return { agent, mastra };
}

export function modelOf(baseUrl: string) {
  return { id: "bench/scripted" as const, url: baseUrl, apiKey: "none" };
}

function toolOf(job: Job, own: BenchTool) {
  const asks = own.name === job.approve;
  const inside = asks && job.askInside === true;
  return createTool({
    id: own.name,
    description: own.description,
    inputSchema: z.object({ n: z.number() }),
    ...(asks && !inside && { requireApproval: true }),
    ...(inside && { suspendSchema: z.object({}), resumeSchema: z.object({ approved: z.boolean() }) }),
    async execute({ n }, context) {
      if (inside) {
        effect(job, `before the question ${n}`);
        if (!context.agent?.resumeData) return context.agent?.suspend({});
      }
      return own.execute(n, context.abortSignal);
    },
  });
}

function helperOf(job: Job, { baseUrl, tools: names }: NonNullable<Job["helper"]>): Agent {
  const tools = Object.fromEntries(toolsOf(job, names).map((own) => [own.name, toolOf(job, own)]));
  return new Agent({
    id: "helper",
    name: "helper",
    description: "Helps.",
    instructions: "Help.",
    model: modelOf(baseUrl),
    tools,
  });
}

/** The durable agent of above, with its snapshots of running agents. */
export const measured: Measured = {
  name: "Mastra `createDurableAgent`, LibSQL",
  async open(folder) {
    let executed = 0;
    let runs = 0;
    const noop = createTool({
      id: "noop",
      description: toolDescription,
      inputSchema: z.object({ n: z.number() }),
      execute: async () => {
        executed += 1;
        return "ok";
      },
    });
    const storage = new LibSQLStore({ id: "bench", url: `file:${join(folder, "mastra.db")}` });
    const drive = async (baseUrl: string, tools: Record<string, typeof noop>, hear: (text: string) => void) => {
      runs += 1;
      const inner = new Agent({ id: "bench", name: "bench", instructions: "Go.", model: modelOf(baseUrl), tools });
      const agent = createDurableAgent({ agent: inner, maxSteps: 1000 });
      new Mastra({ agents: { bench: agent }, storage, recovery: { durableAgents: "auto" }, logger: false });
      const streamed = await agent.stream("Go.", { runId: `run-${runs}`, maxSteps: 1000 });
      for await (const chunk of streamed.fullStream as unknown as AsyncIterable<{
        type: string;
        payload: { text?: string };
      }>) {
        if (chunk.type === "text-delta") hear(chunk.payload.text ?? "");
      }
      streamed.cleanup();
    };
    return {
      answer: (baseUrl, hear) => drive(baseUrl, {}, hear),
      async callTools(baseUrl) {
        executed = 0;
        await drive(baseUrl, { noop }, () => undefined);
        return executed;
      },
      close: async () => undefined,
    };
  },
};
