/** Benchtop: the agent loop of the harness on the durable journal of the store (SQLite), as the daemon uses it. */
import {
  agentLoop,
  agentTool,
  approval,
  forkRun,
  openaiChat,
  resumeRun,
  startRun,
  subRunsOn,
  type LoopConfig,
  type RunBody,
  type RunHandle,
  type Tool,
} from "@benchtop/harness";
import { BenchtopError, newTraceId, type Journal, type RunEvent } from "@benchtop/protocol";
import { openStore } from "@benchtop/store";
import { effect, hear, stateOf, toolsOf, type BenchTool, type Contender, type Job, type Outcome } from "./contender.ts";

export const contender: Contender = {
  start: (job, signal) =>
    withJournal(job, async (journal) => {
      const input = { prompt: "Go." };
      const init = {
        runId: job.runId,
        traceId: newTraceId(),
        kind: "agent",
        userId: "local",
        contract: { maxSteps: 10_000 },
        input,
      };
      return outcomeOf(job, await startRun(journal, init, bodyOf(job, journal), signal), signal);
    }),
  resume: (job, signal) =>
    withJournal(job, async (journal) => {
      const events = await journal.read(job.runId, { limit: 100_000 });
      const body = bodyOf(job, journal);
      if (events.at(-1)?.type !== "Error")
        return outcomeOf(job, await resumeRun(journal, job.runId, body, { signal }), signal);
      // A run that failed has ended: what it did is continued by a fork of it.
      return outcomeOf(job, await forkRun(journal, events, body, { signal }), signal);
    }),
  approve: (job, signal) =>
    withJournal(job, async (journal) => {
      const options = { decision: "approve", signal } as const;
      return outcomeOf(job, await resumeRun(journal, job.runId, bodyOf(job, journal), options), signal);
    }),
  read: async (job) => {
    const store = await openStore({ home: stateOf(job) });
    const events = await store.journal.read(job.runId, { limit: 100_000 });
    const children = events.flatMap((event) => (event.type === "SubRunFinished" ? [JSON.stringify(event)] : []));
    await store.close();
    return [...saidIn(events), ...children].join("");
  },
};

function saidIn(events: readonly RunEvent[]): string[] {
  return events.flatMap((event) => (event.type === "OutputDelta" && event.channel === "text" ? [event.text] : []));
}

async function withJournal(job: Job, act: (journal: Journal) => Promise<Outcome>): Promise<Outcome> {
  const store = await openStore({ home: stateOf(job) });
  try {
    return await act(store.journal);
  } catch (thrown) {
    const error = BenchtopError.from(thrown);
    return {
      status: "refused",
      text: "",
      error: `${error.code}: ${error.message} ${JSON.stringify(error.info.detail ?? {})}`,
    };
  } finally {
    await store.close();
  }
}

async function outcomeOf(job: Job, handle: RunHandle, signal: AbortSignal): Promise<Outcome> {
  for await (const event of handle) if (event.type === "OutputDelta") hear(job, event.text);
  const { status, output, error, suspended } = await handle.result;
  if (status === "suspended") return { status, text: "", ...(suspended && { error: suspended.question }) };
  if (!error) return { status: "finished", text: output };
  return { status: signal.aborted ? "canceled" : "failed", text: "", error: `${error.code}: ${error.message}` };
}

function bodyOf(job: Job, journal: Journal): RunBody {
  const gates =
    job.approve === undefined || job.askInside === true
      ? []
      : [approval({ mode: "enforcing", tools: [{ tool: job.approve }] })];
  const tools = toolsOf(job).map((own) => toolOf(job, own));
  return agentLoop({
    ...configOf(job.baseUrl),
    instructions: job.instructions,
    tools: [...tools, ...helperOf(job, journal)],
    gates,
  });
}

function configOf(baseUrl: string): LoopConfig {
  const provider = openaiChat({ id: "scripted", baseUrl });
  return {
    candidates: [{ provider, modelId: "scripted" }],
    input: "Go.",
    // The whole history in every request, as the others send it.
    context: { maxMessages: 100_000, maxTokens: 100_000_000 },
    reliability: { retry: { initialDelayMs: 5, maxDelayMs: 20 } },
  };
}

function toolOf(job: Job, own: BenchTool): Tool {
  const asks = job.askInside === true && own.name === job.approve;
  return {
    name: own.name,
    description: own.description,
    // Only a tool that may be executed again may ask.
    idempotent: own.idempotent || asks,
    effects: "external",
    inputSchema: {
      type: "object",
      properties: { n: { type: "number" } },
      required: ["n"],
      additionalProperties: false,
    },
    async execute(input, context) {
      const { n } = input as { n: number };
      if (asks) {
        effect(job, `before the question ${n}`);
        if (!context.ask(`May ${own.name} ${n} run?`).approved) return { content: "It was refused.", isError: true };
      }
      return { content: await own.execute(n, context.signal) };
    },
  };
}

function helperOf({ helper, ...job }: Job, journal: Journal): Tool[] {
  if (!helper) return [];
  const body = agentLoop({
    ...configOf(helper.baseUrl),
    tools: toolsOf(job, helper.tools).map((own) => toolOf(job, own)),
  });
  const name = "helper";
  return [agentTool({ name, description: "Asks a helper.", runs: subRunsOn(journal), agent: () => body })];
}
