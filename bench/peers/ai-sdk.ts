/**
 * AI SDK: `ToolLoopAgent`. It keeps nothing itself; its guide on persistence stores UI messages in `onEnd`, which this does
 * after every step too (`onStepEnd`). A run is continued by calling the agent again with the stored messages.
 * (`WorkflowAgent` of `@ai-sdk/workflow` is durable, but only inside a Workflow DevKit deployment with a compiler step.)
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createOpenAI } from "@ai-sdk/openai";
import { convertToModelMessages, isStepCount, tool, toUIMessageStream, ToolLoopAgent, type UIMessage } from "ai";
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

export const contender: Contender = {
  start: (job, signal) => drive(job, [{ id: "user-1", role: "user", parts: [{ type: "text", text: "Go." }] }], signal),
  resume: (job, signal) => drive(job, load(job), signal),
  approve: (job, signal) => drive(job, approved(load(job)), signal),
  async read(job) {
    const answers = load(job).filter(({ role }) => role === "assistant");
    return answers.flatMap(({ parts }) => parts.map((part) => (part.type === "text" ? part.text : ""))).join("");
  },
};

const fileOf = (job: Job): string => join(stateOf(job), "messages.json");

function load(job: Job): UIMessage[] {
  return existsSync(fileOf(job)) ? (JSON.parse(readFileSync(fileOf(job), "utf8")) as UIMessage[]) : [];
}

function save(job: Job, messages: readonly UIMessage[]): void {
  writeFileSync(`${fileOf(job)}.${process.pid}`, JSON.stringify(messages));
  renameSync(`${fileOf(job)}.${process.pid}`, fileOf(job));
}

async function drive(job: Job, messages: UIMessage[], signal: AbortSignal): Promise<Outcome> {
  if (messages.length === 0) return { status: "refused", text: "", error: "no stored messages" };
  save(job, messages);
  const result = await agentOf(job).stream({ messages: await convertToModelMessages(messages), abortSignal: signal });
  let text = "";
  let error: string | undefined;
  let last = messages;
  const ui = toUIMessageStream({
    stream: result.stream,
    originalMessages: messages,
    onStepEnd: ({ messages }) => save(job, messages),
    onEnd: ({ messages }) => save(job, (last = messages)),
    onError: String,
  });
  for await (const chunk of ui) {
    if (chunk.type === "text-delta") {
      text += chunk.delta;
      hear(job, chunk.delta);
    }
    if (chunk.type === "error") error = chunk.errorText;
  }
  if (signal.aborted) return { status: "canceled", text };
  if (error !== undefined) return { status: "failed", text, error: error.slice(0, 300) };
  const waits = last.at(-1)?.parts.some((part) => "state" in part && part.state === "approval-requested");
  return { status: waits === true ? "suspended" : "finished", text };
}

/** What `addToolApprovalResponse` of its UI hook does to the stored messages. */
function approved(messages: UIMessage[]): UIMessage[] {
  for (const part of messages.flatMap(({ parts }) => parts)) {
    if (!("state" in part) || part.state !== "approval-requested") continue;
    Object.assign(part, { state: "approval-responded", approval: { ...part.approval, approved: true } });
  }
  return messages;
}

export function modelOf(baseUrl: string) {
  return createOpenAI({ baseURL: baseUrl, apiKey: "none" }).chat("scripted");
}

function agentOf(job: Job) {
  const tools = Object.fromEntries(toolsOf(job).map((own) => [own.name, toolOf(own)]));
  return new ToolLoopAgent({
    model: modelOf(job.baseUrl),
    instructions: job.instructions,
    tools: { ...tools, ...(job.helper && { helper: helperOf(job, job.helper) }) },
    stopWhen: isStepCount(1000),
    ...(job.approve && { toolApproval: { [job.approve]: "user-approval" as const } }),
  });
}

function toolOf(own: BenchTool) {
  return tool({
    description: own.description,
    inputSchema: z.object({ n: z.number() }),
    execute: ({ n }, { abortSignal }) => own.execute(n, abortSignal),
  });
}

function helperOf(job: Job, { baseUrl, tools: names }: NonNullable<Job["helper"]>) {
  const tools = Object.fromEntries(toolsOf(job, names).map((own) => [own.name, toolOf(own)]));
  const agent = new ToolLoopAgent({ model: modelOf(baseUrl), tools });
  return tool({
    description: "Asks a helper.",
    inputSchema: z.object({ task: z.string() }),
    execute: async (_, { abortSignal }) =>
      (await agent.generate({ prompt: "Help.", ...(abortSignal && { abortSignal }) })).text,
  });
}

/** The agent as it comes: nothing is stored. */
export const measured: Measured = {
  name: "AI SDK `ToolLoopAgent`, nothing stored",
  async open() {
    let executed = 0;
    const noop = tool({
      description: toolDescription,
      inputSchema: z.object({ n: z.number() }),
      execute: async () => {
        executed += 1;
        return "ok";
      },
    });
    return {
      async answer(baseUrl, hear) {
        const agent = new ToolLoopAgent({ model: modelOf(baseUrl) });
        const { textStream } = await agent.stream({ prompt: "Go." });
        for await (const piece of textStream) hear(piece);
      },
      async callTools(baseUrl) {
        executed = 0;
        const agent = new ToolLoopAgent({ model: modelOf(baseUrl), tools: { noop }, stopWhen: isStepCount(1000) });
        const { textStream } = await agent.stream({ prompt: "Go." });
        for await (const piece of textStream) void piece;
        return executed;
      },
      close: async () => undefined,
    };
  },
};
