import type { Contract } from "@benchtop/protocol";
import type { Gate, Verdict } from "../../src/gates/gate.ts";
import type { LoopConfig } from "../../src/index.ts";
import { CircuitBreaker } from "../../src/reliability/circuit-breaker.ts";
import { connect } from "./connect.ts";
import { faultNames } from "./faults.ts";
import { Random } from "./random.ts";
import { dialectNames, type FaultServer } from "./server.ts";
import { toolsOf, type Executions } from "./tools.ts";

/** Everything about one run that a seed decides. */
export interface Scenario {
  readonly seed: number;
  readonly config: LoopConfig;
  readonly contract: Contract;
  /** A person cancels the run after this event. */
  readonly abortAfter: number | undefined;
  /** A person says something after this event. */
  readonly hintAfter: number | undefined;
}

export interface ScenarioOptions {
  readonly server: FaultServer;
  readonly executions: Executions;
  /** An address at which nothing listens. */
  readonly nowhere: string;
  /** Without faults, limits of time and people: then a seed's run always says the same. */
  readonly calm?: boolean;
}

export function scenarioOf(seed: number, { server, executions, nowhere, calm = false }: ScenarioOptions): Scenario {
  const random = Random.of(seed, calm ? "calm" : "scenario");
  const faulty = calm ? 0 : random.pick([0.1, 0.4, 0.4, 0.8, 1]);
  const candidates = Array.from({ length: calm ? 1 : 1 + random.below(3) }, (_, place) => {
    const dialect = random.pick(dialectNames);
    const isAway = !calm && random.chance(0.05);
    // A storm: whatever it does, it does it again.
    const among = !calm && random.chance(0.15) ? { among: [random.pick(faultNames)] } : {};
    const url = isAway ? nowhere : server.urlOf({ seed, dialect, faulty, place, ...among });
    return {
      provider: connect(dialect, url, `${dialect}-${place}`),
      modelId: random.pick(["small", "large"]),
      ...(random.chance(0.5) && { prices: { inputPerMillion: 1, outputPerMillion: 4, cachedInputPerMillion: 0.25 } }),
      ...(random.chance(0.2) && { contextTokens: 1500 + random.below(4000) }),
    };
  });
  const [first, ...others] = candidates;
  if (!first) throw new Error("A plan has a candidate.");
  return {
    seed,
    config: {
      candidates: [first, ...others],
      input: `Please do number ${seed}.`,
      ...(random.chance(0.5) && { instructions: "Be brief." }),
      ...(random.chance(0.3) && { context: contextOf(random) }),
      tools: toolsOf(executions),
      gates: gatesOf(random),
      reliability: {
        retry: { maxAttempts: 1 + random.below(4), initialDelayMs: 1, maxDelayMs: 4, maxRetryAfterMs: 6 },
        timeouts: calm
          ? { connectMs: 0, firstTokenMs: 0, idleMs: 0, toolMs: 0 }
          : { connectMs: 60, firstTokenMs: 80, idleMs: 50, toolMs: 25 },
      },
      ...(!calm && random.chance(0.3) && { breaker: new CircuitBreaker({ failures: 3, cooldownMs: 20 }) }),
      toolGraceMs: 5,
    },
    contract: {
      maxSteps: 2 + random.below(8),
      maxTotalTokens: random.pick([3000, 20_000, 200_000]),
      ...(!calm && random.chance(0.15) && { maxDurationMs: 30 + random.below(200) }),
    },
    abortAfter: !calm && random.chance(0.25) ? random.below(30) : undefined,
    hintAfter: !calm && random.chance(0.2) ? random.below(20) : undefined,
  };
}

function contextOf(random: Random): NonNullable<LoopConfig["context"]> {
  return {
    maxTokens: 400 + random.below(800),
    reservedOutputTokens: 100,
    maxMessages: 4 + random.below(10),
    overflow: random.pick(["drop", "summarize"] as const),
  };
}

/** What they say follows from what they are shown. */
function gatesOf(random: Random): Gate[] {
  const shadow: Gate = {
    name: "watcher",
    points: ["input", "tool-call", "tool-result", "output"],
    mode: "shadow",
    check: async (subject) => watched("text" in subject ? subject.text.length : JSON.stringify(subject.call).length),
  };
  const enforcing: Gate = {
    name: "no-breaking",
    points: ["tool-call"],
    mode: "enforcing",
    check: async (subject) =>
      "call" in subject && subject.call.name === "break"
        ? { decision: "deny", reason: "Nothing may be broken." }
        : { decision: "allow" },
  };
  return [...(random.chance(0.5) ? [shadow] : []), ...(random.chance(0.3) ? [enforcing] : [])];
}

/** Asks a person before anything is charged. */
export const askingGate: Gate = {
  name: "cashier",
  points: ["tool-call"],
  mode: "enforcing",
  check: async (subject) =>
    "call" in subject && subject.call.name === "charge"
      ? { decision: "ask", question: "May it charge?" }
      : { decision: "allow" },
};

function watched(length: number): Verdict {
  if (length % 7 === 0) throw new Error("The watcher fell over.");
  if (length % 3 === 0) return { decision: "deny", reason: "It looks odd." };
  if (length % 3 === 1) return { decision: "redact", replacement: "…", findings: ["odd"] };
  return { decision: "allow" };
}
