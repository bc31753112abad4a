import type { Message } from "@benchtop/protocol";
import { Conversation, type HistoryLimits } from "../context/conversation.ts";
import type { Prices } from "../model/model.ts";
import type { ProviderAdapter } from "../provider/provider.ts";
import { ToolRegistry } from "../tools/registry.ts";
import type { Tool } from "../tools/tool.ts";
import { callTool } from "../tools/call-tool.ts";
import { Budget } from "./budget.ts";
import { callProvider, type Answer } from "./call-provider.ts";
import type { RunBody, RunOutcome } from "./scope.ts";
import { round } from "./totals.ts";

export interface LoopConfig {
  readonly provider: ProviderAdapter;
  /** The model's name as its provider knows it. */
  readonly modelId: string;
  /** What the model is asked. */
  readonly input: string;
  readonly instructions?: string;
  /** Earlier turns, oldest first (`messagesFromEvents`). */
  readonly history?: readonly Message[];
  readonly limits?: Partial<HistoryLimits>;
  readonly tools?: readonly Tool[] | ToolRegistry;
  /** Unknown prices mean that costs are neither counted nor limited. */
  readonly prices?: Prices;
  readonly maxOutputTokens?: number;
  readonly temperature?: number;
  /** How long a tool may go on after the run was canceled before it is abandoned; 5 seconds when absent. */
  readonly toolGraceMs?: number;
}

/**
 * The agent: ask the model, do what it asks for, tell it what came of it, until it answers without asking for more.
 * Tools run one after the other, in the order in which the model named them. Everything that happens is in the journal
 * before the next thing happens; the ceilings of the contract hold at every turn.
 */
export function agentLoop(config: LoopConfig): RunBody {
  const tools = config.tools instanceof ToolRegistry ? config.tools : new ToolRegistry(config.tools ?? []);

  return async (run) => {
    const budget = new Budget(run, config.prices);
    const conversation = new Conversation(config.limits);
    if (config.instructions !== undefined) conversation.addPinned({ role: "system", content: config.instructions });
    conversation.addHistory(config.history ?? []);
    conversation.addPinned({ role: "user", content: config.input });
    const callIds = new Set(conversation.callIds);

    for (let step = 1; ; step += 1) {
      for (const hint of run.takeHints()) {
        run.write({ type: "HintInjected", ...hint });
        conversation.addPinned({ role: "user", content: hint.text });
      }
      const trimmed = conversation.trim();
      if (trimmed) run.write(trimmed);

      const tokensLeft = await budget.reserve(step, conversation.estimatedTokens + tools.estimatedTokens);
      const stepStarted = performance.now();
      run.write({ type: "StepStarted", step });
      const prompt = { messages: conversation.messages, tools: tools.specs, tokensLeft, callIds };
      const answer = await callProvider(run, config, prompt);
      conversation.addAnswer(answer.message);
      await budget.check();

      const calls = answer.message.toolCalls ?? [];
      for (const call of calls) conversation.addToolResult(await callTool(run, tools, call, config.toolGraceMs));
      run.write({ type: "StepFinished", step, durationMs: round(performance.now() - stepStarted) });

      const hinted = run.hasHints && budget.allowsStep(step + 1);
      if (calls.length === 0 && !hinted) return outcomeOf(answer);
    }
  };
}

/** A refusal is an answer too: its text is the output, and the finish reason says that something was withheld. */
function outcomeOf({ message, finishReason }: Answer): RunOutcome {
  if (message.refusal === undefined) return { output: message.content, finishReason };
  return { output: message.content || message.refusal, finishReason: "content-filter" };
}
