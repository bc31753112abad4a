import { BenchtopError, type Contract, type ErrorCode, type Journal, type Memory } from "@benchtop/protocol";
import {
  agentLoop,
  agentTool,
  approval,
  handOffTool,
  memoryInProcess,
  modelGraded,
  planExecuteEvaluate,
  recallForRun,
  secretsGate,
  subRunsOn,
  type Gate,
  type GatePoint,
  type LoopConfig,
  type ProviderAdapter,
  type ProviderRequest,
  type RunBody,
  type SubRuns,
  type Tool,
} from "../src/index.ts";
import { calls, ends, says, used, type Act } from "./scripted-provider.ts";

/** Where a program is driven: what it asks and does is counted, or forbidden. */
export interface World {
  readonly journal: Journal;
  /** Call ids of tools that were executed, as often as they were. */
  readonly executed: string[];
  /** Nothing may be asked or done: the program is only compared with its journal. */
  readonly isReplay: boolean;
}

export interface Scenario {
  readonly name: string;
  readonly program: (world: World) => RunBody;
}

export function world(journal: Journal, isReplay = false): World {
  return { journal, executed: [], isReplay };
}

/** A model that answers by what it is asked alone, so that it says the same to a run that is driven again. */
function model(
  world: World,
  id: string,
  answer: (request: ProviderRequest, asked: number) => readonly Act[],
): ProviderAdapter {
  const asked = new Map<string, number>();
  return {
    id,
    async *stream(request) {
      if (world.isReplay) throw new Error("A replay asks no model.");
      const question = JSON.stringify(request.messages);
      asked.set(question, (asked.get(question) ?? 0) + 1);
      yield [];
      for (const act of answer(request, asked.get(question) ?? 0)) {
        if (act.type === "throw") throw act.error;
        if (act.type !== "hang") yield [act];
      }
    },
  };
}

function tool(world: World, name: string, more: Partial<Tool> = {}): Tool {
  return {
    name,
    description: name,
    inputSchema: { type: "object" },
    effects: "external",
    idempotent: false,
    ...more,
    execute: async (input, context) => {
      if (world.isReplay) throw new Error("A replay executes no tool.");
      world.executed.push(context.callId);
      return (await more.execute?.(input, context)) ?? { content: `${name} done` };
    },
  };
}

/** Answers of this run so far that asked for tools. */
function turnOf({ messages }: ProviderRequest): number {
  return messages.filter((message) => message.role === "assistant" && message.toolCalls).length;
}

const down = new BenchtopError("PROVIDER_UNAVAILABLE", "It broke.");
const quick = { retry: { maxAttempts: 5, initialDelayMs: 0 } };

function loop(provider: ProviderAdapter, more: Partial<LoopConfig> = {}): RunBody {
  return agentLoop({
    candidates: [{ provider, modelId: "m", prices: { inputPerMillion: 1, outputPerMillion: 2 } }],
    input: "go",
    reliability: quick,
    ...more,
  });
}

const retries: Scenario = {
  name: "tools between retries",
  program: (world) => {
    const provider = model(world, "p", (request, asked) => {
      if (asked === 1) return [says("Hm"), { type: "throw", error: down }];
      const turn = turnOf(request);
      if (turn < 2) return [says(`step ${turn}`), calls("work", { turn }, `c${turn}`), used(10, 5), ends()];
      return [says("All done."), used(20, 3), ends()];
    });
    return loop(provider, { tools: [tool(world, "work")] });
  },
};

const fallback: Scenario = {
  name: "a fallback to another model",
  program: (world) => {
    const failing = model(world, "first", () => [says("I can"), { type: "throw", error: down }]);
    const answering = model(world, "second", (request) =>
      turnOf(request) === 0 ? [calls("work", {}, "c0"), used(3, 3), ends()] : [says("Done."), used(5, 5), ends()],
    );
    const candidates = [
      { provider: failing, modelId: "a", capabilities: { tools: true } },
      { provider: model(world, "never", () => []), modelId: "b", capabilities: { tools: false } },
      { provider: answering, modelId: "c" },
    ] as const;
    return loop(answering, { candidates, tools: [tool(world, "work", { idempotent: true })] });
  },
};

const turnedRound = (ticks: number) => async () => {
  for (let tick = 0; tick < ticks; tick += 1) await Promise.resolve();
  return { content: `after ${ticks}` };
};

const concurrent: Scenario = {
  name: "tools at the same time",
  program: (world) => {
    const tools = [
      tool(world, "slow", { concurrent: true, idempotent: true, execute: turnedRound(20) }),
      tool(world, "fast", { concurrent: true, execute: turnedRound(2) }),
      tool(world, "bad", { concurrent: true, idempotent: true, execute: async () => Promise.reject(new Error("no")) }),
      tool(world, "alone"),
    ];
    const provider = model(world, "p", (request) => {
      if (turnOf(request) > 0) return [says("Counted."), used(9, 9), ends()];
      const names = ["slow", "fast", "bad", "alone", "fast", "slow"];
      return [...names.map((name, place) => calls(name, {}, `c${place}`)), used(9, 9), ends()];
    });
    return loop(provider, { tools });
  },
};

const secret = "postgresql://app:hunter2-for-real@db.internal:5432/app";

const gated: Scenario = {
  name: "gates that ask, redact and judge by a model",
  program: (world) => {
    const provider = model(world, "p", (request) => {
      if (request.output) return [says('{"verdict": "allow"}'), used(2, 2), ends()];
      if (turnOf(request) > 0) return [says("Written."), used(4, 4), ends()];
      return [calls("write", {}, "w0"), calls("write", {}, "w1"), used(4, 4), ends()];
    });
    const gates: Gate[] = [
      secretsGate({ mode: "enforcing" }),
      approval({ mode: "enforcing", tools: [{ tool: "write" }] }),
      modelGraded({
        name: "judge",
        mode: "enforcing",
        points: ["input", "tool-call", "tool-result", "output"],
        forbids: "unkind words",
      }),
      {
        name: "watch",
        points: ["input", "output"],
        mode: "shadow",
        check: async () => ({ decision: "deny", reason: "x" }),
      },
    ];
    const candidates = [
      { provider: model(world, "short", () => []), modelId: "s", contextTokens: 4 },
      { provider, modelId: "m" },
    ] as const;
    const write = tool(world, "write", { execute: async () => ({ content: `the database is ${secret}` }) });
    return loop(provider, { candidates, gates, tools: [write], input: `my database is ${secret}` });
  },
};

const hinted: Scenario = {
  name: "hints, and an answer that has to be corrected",
  program: (world) => {
    const provider = model(world, "p", ({ messages }) => {
      const turn = messages.filter(({ role }) => role === "assistant").length;
      if (turn === 0) return [calls("listen", {}, "l0"), used(1, 1), ends()];
      const isCorrected = messages.some(({ role, content }) => role === "user" && content.includes("does not match"));
      return [says(isCorrected ? '```json\n{"n": 2}\n```' : '{"n": "two"}'), used(1, 1), ends()];
    });
    const listen = tool(world, "listen", {
      execute: async (_, { run }) => {
        (run as unknown as { inject(text: string): boolean }).inject("In numbers, please.");
        return { content: "heard" };
      },
    });
    const schema = { type: "object", properties: { n: { type: "number" } }, required: ["n"] };
    return loop(provider, { tools: [listen], output: { name: "count", schema } });
  },
};

const compacted: Scenario = {
  name: "a summary, and memories",
  program: (world) => {
    const long = "word ".repeat(3000);
    const history = Array.from({ length: 6 }, (_, turn) => [
      { role: "user" as const, content: `q${turn} ${long}` },
      { role: "assistant" as const, content: `a${turn} ${long}` },
    ]).flat();
    const provider = model(world, "p", (request) => {
      if (request.messages[0]?.content.startsWith("You condense")) return [says("It was long."), used(9000, 9), ends()];
      if (turnOf(request) === 0) return [calls("work", {}, "c0"), used(9000, 9), ends()];
      return [says("Short."), used(9000, 9), ends()];
    });
    const memory = world.isReplay ? forgetful : memoryInProcess();
    const recall: LoopConfig["recall"] = async (run) => {
      if (!world.isReplay) await memory.write({ lane: "episodic", scope: "e", text: "The tea is green." });
      return await recallForRun(run, memory, { working: "w", episodic: "e" }, "tea");
    };
    const context = { maxTokens: 30_000, reservedOutputTokens: 100, overflow: "summarize" } as const;
    return loop(provider, { history, context, recall, tools: [tool(world, "work")] });
  },
};

const forgetful = new Proxy({} as Memory, {
  get: () => () => {
    throw new Error("A replay remembers by its journal.");
  },
});

const asking: Scenario = {
  name: "an agent that asks others",
  program: (world) => {
    const parent = model(world, "p", (request) => {
      if (turnOf(request) > 0) return [says("Both said so."), used(5, 5), ends()];
      return [calls("helper", { task: "a" }, "h0"), calls("helper", { task: "b" }, "h1"), used(5, 5), ends()];
    });
    const child = model(world, "q", (request) =>
      turnOf(request) > 0
        ? [says("Found."), used(2, 2), ends()]
        : [calls("work", {}, `w_${String(request.messages.at(-1)?.content)}`), used(2, 2), ends()],
    );
    const helper = agentTool({
      name: "helper",
      description: "Helps.",
      runs: runsIn(world),
      agent: (task) => loop(child, { input: task, tools: [tool(world, "work", { idempotent: true })] }),
    });
    return loop(parent, { tools: [helper] });
  },
};

const planned: Scenario = {
  name: "a plan that is executed and judged twice",
  program: (world) => {
    const role = (answer: (input: string) => string): ProviderAdapter =>
      model(world, "r", ({ messages }) => [says(answer(String(messages.at(-1)?.content))), used(3, 3), ends()]);
    const planner = role((input) => JSON.stringify({ steps: input.includes("not accepted") ? ["c"] : ["a", "b"] }));
    const executor = role((input) => `did ${input.at(-1)}`);
    const evaluator = role((input) =>
      input.includes("did c") ? '{"accepted": true, "feedback": ""}' : '{"accepted": false, "feedback": "Do c."}',
    );
    return planExecuteEvaluate({
      task: "the task",
      runs: runsIn(world),
      planner: (input, output) => loop(planner, { input, output }),
      executor: (input) => loop(executor, { input }),
      evaluator: (input, output) => loop(evaluator, { input, output }),
    });
  },
};

const handsOff: Scenario = {
  name: "a hand-off to another agent",
  program: (world) => {
    const parent = model(world, "p", () => [calls("helper", { task: "all of it" }, "h0"), used(5, 5), ends()]);
    const child = model(world, "q", (request) =>
      turnOf(request) > 0 ? [says("Mine."), used(2, 2), ends()] : [calls("work", {}, "w0"), used(2, 2), ends()],
    );
    const helper = handOffTool({
      name: "helper",
      description: "Takes over.",
      runs: runsIn(world),
      agent: (task) => loop(child, { input: task, tools: [tool(world, "work", { idempotent: true })] }),
    });
    return loop(parent, { tools: [helper] });
  },
};

const questioning: Scenario = {
  name: "a tool that asks in its middle, beside others",
  program: (world) => {
    const provider = model(world, "p", (request) => {
      if (turnOf(request) > 0) return [says("Booked."), used(4, 4), ends()];
      return [calls("look", {}, "c0"), calls("book", {}, "c1"), calls("look", {}, "c2"), used(4, 4), ends()];
    });
    const book = tool(world, "book", {
      idempotent: true,
      concurrent: true,
      execute: async (_, { ask }) => ({ content: ask("The window seat?").approved ? "window" : "aisle" }),
    });
    return loop(provider, { tools: [book, tool(world, "look", { concurrent: true, idempotent: true })] });
  },
};

/** A model that works once, and then says this. */
function afterWork(world: World, last: readonly Act[], more: Partial<LoopConfig> = {}): RunBody {
  const provider = model(world, "p", (request) =>
    turnOf(request) === 0 ? [says("I will."), calls("work", {}, "c0"), used(100, 100), ends()] : last,
  );
  return loop(provider, { tools: [tool(world, "work")], ...more });
}

const refusing = (point: GatePoint): Gate => ({
  name: "no",
  points: [point],
  mode: "enforcing",
  check: async () => ({ decision: "deny", reason: "no" }),
});
const findsDiskFull = () => Promise.reject(new BenchtopError("DISK_FULL", "The disk is full."));
const fine = [says("Fine."), used(100, 100), ends()];

/** Programs that end in an error by themselves, and the error. */
export const failures: readonly (Scenario & { readonly code: ErrorCode; readonly contract?: Contract })[] = [
  {
    name: "whose provider keeps failing",
    code: "PROVIDER_UNAVAILABLE",
    program: (world) => afterWork(world, [says("Hm"), { type: "throw", error: down }]),
  },
  {
    name: "that uses all its tokens",
    code: "BUDGET_CAP_REACHED",
    contract: { maxTotalTokens: 150 },
    program: (world) => afterWork(world, fine),
  },
  {
    name: "that costs too much",
    code: "BUDGET_CAP_REACHED",
    contract: { maxCostMicros: 310 },
    program: (world) => afterWork(world, fine),
  },
  {
    name: "that has no step left",
    code: "BUDGET_CAP_REACHED",
    contract: { maxSteps: 1 },
    program: (world) => afterWork(world, fine),
  },
  {
    name: "whose input a gate refuses",
    code: "POLICY_DENIED",
    program: (world) => afterWork(world, fine, { gates: [refusing("input")] }),
  },
  {
    name: "whose output a gate refuses",
    code: "POLICY_DENIED",
    program: (world) => afterWork(world, fine, { gates: [refusing("output")] }),
  },
  {
    name: "whose answers are never the data asked for",
    code: "VALIDATION_FAILED",
    program: (world) => afterWork(world, fine, { output: { name: "n", schema: { type: "number" } } }),
  },
  {
    name: "that nobody can serve",
    code: "VALIDATION_FAILED",
    program: (world) => {
      const provider = model(world, "p", () => fine);
      const candidates = [{ provider, modelId: "m", capabilities: { tools: false } }] as const;
      return afterWork(world, fine, { candidates });
    },
  },
  {
    name: "whose tool finds the disk full",
    code: "DISK_FULL",
    program: (world) => afterWork(world, fine, { tools: [tool(world, "work", { execute: findsDiskFull })] }),
  },
  {
    name: "whose plan is none",
    code: "VALIDATION_FAILED",
    program: (world) => {
      const planner = model(world, "r", () => [says("no plan"), used(3, 3), ends()]);
      const body = loop(planner);
      return planExecuteEvaluate({
        task: "the task",
        runs: runsIn(world),
        planner: (input, output) => loop(planner, { input, output }),
        executor: () => body,
        evaluator: () => body,
      });
    },
  },
];

function runsIn({ journal, isReplay }: World): SubRuns {
  const runs = subRunsOn(journal);
  return isReplay ? { ...runs, start: forbidden, resume: forbidden } : runs;
}

function forbidden(): never {
  throw new Error("A replay starts no runs.");
}

/** Programs whose journals hold, together, everything that the loop writes. */
export const scenarios: readonly Scenario[] = [
  retries,
  fallback,
  concurrent,
  gated,
  hinted,
  compacted,
  asking,
  planned,
  handsOff,
  questioning,
];
