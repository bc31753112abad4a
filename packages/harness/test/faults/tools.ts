import { setTimeout as wait } from "node:timers/promises";
import type { Json } from "@benchtop/protocol";
import type { Tool } from "../../src/index.ts";

/** How often each tool call was really executed, by its id. */
export type Executions = Map<string, number>;

const inputSchema = {
  type: "object",
  properties: { amount: { type: "integer" }, note: { type: "string" } },
  required: ["amount"],
  additionalProperties: false,
} as const;

/** The tools of a fault run. What they answer follows from what they are asked. */
export function toolsOf(executions: Executions): Tool[] {
  return behaviours.map(({ execute, ...tool }) => ({
    description: `The tool ${tool.name}.`,
    inputSchema: structuredClone(inputSchema) as unknown as Tool["inputSchema"],
    ...tool,
    execute: (input, context) => {
      executions.set(context.callId, (executions.get(context.callId) ?? 0) + 1);
      return execute(input, context);
    },
  }));
}

const behaviours: readonly Omit<Tool, "description" | "inputSchema">[] = [
  {
    name: "look",
    effects: "none",
    idempotent: true,
    concurrent: true,
    execute: async (input) => ({ content: `It is ${amountOf(input)}.` }),
  },
  {
    name: "charge",
    effects: "external",
    idempotent: false,
    execute: async (input) => {
      await wait(0);
      return { content: `Charged ${amountOf(input)}.` };
    },
  },
  {
    name: "linger",
    effects: "none",
    idempotent: true,
    concurrent: true,
    execute: async (input, { signal }) => {
      const amount = amountOf(input);
      await (amount % 2 === 0 ? wait(amount / 2, undefined, { signal }) : wait(amount / 2));
      return { content: `Waited for ${amount}.` };
    },
  },
  {
    name: "break",
    effects: "draft",
    idempotent: false,
    execute: async (input) => {
      const amount = amountOf(input);
      if (amount % 3 === 0) throw new TypeError(`broken by ${amount}`);
      return { content: `Nothing came of ${amount}.`, isError: amount % 3 === 1 };
    },
  },
  {
    name: "report",
    effects: "draft",
    idempotent: true,
    execute: async (input, context) => {
      const amount = amountOf(input);
      await context.emit({ type: "MetricLogged", name: "amount", value: amount });
      return { content: "word ".repeat(amount * 4) };
    },
  },
];

function amountOf(input: Json): number {
  return (input as { readonly amount: number }).amount;
}
