import { BenchtopError, type Json, type Message } from "@benchtop/protocol";
import { Conversation } from "../context/conversation.ts";
import { fitContext } from "../context/fit.ts";
import { decideGates, refusedBy } from "../gates/decide.ts";
import { ToolRegistry } from "../tools/registry.ts";
import type { Tool, ToolSpec } from "../tools/tool.ts";
import type { LoopConfig } from "./agent-loop.ts";
import { Asking } from "./asking.ts";
import { outputIn, unusableOutput } from "./output.ts";
import type { RunBody, RunScope } from "./scope.ts";
import { round } from "./totals.ts";

export interface CompletionConfig extends Omit<
  LoopConfig,
  "input" | "history" | "recall" | "tools" | "attachments" | "toolGraceMs"
> {
  /** The conversation so far, which its caller keeps: it ends with a question, or with the results of tools. */
  readonly messages: readonly Message[];
  /** What the model may call. The caller does it. */
  readonly tools?: readonly ToolSpec[];
}

/**
 * One answer to a conversation that somebody else keeps, as the chat protocols have it. Nothing that the model calls is
 * executed: the calls are the run's result, `{ toolCalls: [{ callId, name, arguments }] }`, and what came of them is part of
 * the next run's messages.
 */
export function completion({ messages, tools = [], ...config }: CompletionConfig): RunBody {
  const offered = new ToolRegistry(tools.map(leftToCaller));
  return async (run) => {
    const asking = new Asking(run, { ...config, input: "" }, offered);
    const conversation = new Conversation(config.context);
    if (config.instructions !== undefined) conversation.addInstructions(config.instructions);
    conversation.addHistory(await admitted(run, messages, config, asking));
    asking.knowsCalls(conversation.callIds);
    const candidates = await asking.candidates(conversation);
    await fitContext(run, conversation, asking.targetOf(candidates[0]), asking.summarize);
    await asking.reserve(conversation, candidates[0]);

    const started = performance.now();
    run.write({ type: "StepStarted", step: 1 });
    const { message, finishReason } = await asking.answer(conversation, candidates);
    await asking.checkBudget();
    run.write({ type: "StepFinished", step: 1, durationMs: round(performance.now() - started) });
    if (message.refusal !== undefined) {
      return { output: message.content || message.refusal, finishReason: "content-filter" };
    }
    const { toolCalls = [] } = message;
    if (config.output && toolCalls.length === 0) {
      const { result, correction } = outputIn(message, config.output);
      if (correction !== undefined) throw unusableOutput(config.output, false);
      return { output: message.content, finishReason, ...(result !== undefined && { result }) };
    }
    const result: Json = {
      toolCalls: toolCalls.map(({ callId, name, arguments: given, invalidArguments }) => ({
        callId,
        name,
        arguments: invalidArguments ?? given,
      })),
    };
    return { output: message.content, finishReason, ...(toolCalls.length > 0 && { result }) };
  };
}

/** The conversation with its last question as the gates let it pass. */
async function admitted(
  run: RunScope,
  messages: readonly Message[],
  { gates = [] }: Pick<LoopConfig, "gates">,
  asking: Asking,
): Promise<readonly Message[]> {
  const index = messages.findLastIndex(({ role }) => role === "user");
  const question = messages[index];
  if (question?.role !== "user") {
    throw new BenchtopError("VALIDATION_FAILED", "The conversation asks nothing: a message of the user is missing.", {
      phase: "run",
      detail: { fields: ["messages"] },
    });
  }
  const { attachments = [], content } = question;
  const decision = await decideGates(run, gates, { point: "input", text: content, attachments }, asking.forGate);
  if (decision.decision === "deny") throw refusedBy(decision, "input");
  if (decision.decision !== "allow" || decision.text === undefined) return messages;
  return messages.with(index, { ...question, content: decision.text });
}

function leftToCaller(spec: ToolSpec): Tool {
  return {
    ...spec,
    effects: "external",
    idempotent: false,
    execute: () => Promise.reject(new BenchtopError("INTERNAL", "A tool of the caller was to be executed here.")),
  };
}
