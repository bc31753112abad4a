import type { Attachment, Message } from "@benchtop/protocol";
import { Conversation } from "../context/conversation.ts";
import { fitContext } from "../context/fit.ts";
import type { ContextPolicy } from "../context/policy.ts";
import { decideGates, refusedBy } from "../gates/decide.ts";
import type { Gate } from "../gates/gate.ts";
import type { Recalled } from "../memory/recall.ts";
import type { Candidate } from "../model/candidates.ts";
import type { ModelConstraints } from "../model/model.ts";
import type { OutputSchema, ProviderRequest } from "../provider/provider.ts";
import type { CircuitBreaker } from "../reliability/circuit-breaker.ts";
import type { ReliabilityOptions } from "../reliability/policy.ts";
import { callTools } from "../tools/call-tools.ts";
import { ToolRegistry } from "../tools/registry.ts";
import type { Tool } from "../tools/tool.ts";
import { Asking } from "./asking.ts";
import type { Answer } from "./call-provider.ts";
import { Hints } from "./hints.ts";
import { outputIn, unusableOutput } from "./output.ts";
import type { RunBody, RunOutcome, RunScope } from "./scope.ts";
import { round } from "./totals.ts";

export interface LoopConfig {
  /** Who may be asked, best first. */
  readonly candidates: readonly [Candidate, ...Candidate[]];
  readonly constraints?: ModelConstraints;
  /** What the model is asked. */
  readonly input: string;
  readonly attachments?: readonly Attachment[];
  readonly instructions?: string;
  /** Earlier turns, oldest first (`messagesFromEvents`). */
  readonly history?: readonly Message[];
  /** What is remembered of before, for this input. Its results have to be in the journal (`recall`). */
  readonly recall?: ((run: RunScope) => Promise<readonly Recalled[]>) | undefined;
  readonly context?: ContextPolicy;
  readonly tools?: readonly Tool[] | ToolRegistry;
  readonly gates?: readonly Gate[];
  /** The answer has to be JSON of this schema; it becomes the run's `result`. */
  readonly output?: OutputSchema;
  readonly reliability?: ReliabilityOptions;
  /** Shared by all runs that ask the same providers. */
  readonly breaker?: CircuitBreaker;
  readonly maxOutputTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly seed?: number;
  readonly reasoningEffort?: ProviderRequest["reasoningEffort"];
  readonly readAttachment?: (sha256: string) => Promise<Uint8Array>;
  /** How long a tool may go on after it was told to stop before it is abandoned; 5 seconds when absent. */
  readonly toolGraceMs?: number;
}

/**
 * The agent: ask the model, do what it asks for, tell it what came of it, until it answers without asking for more.
 * Everything that happens is in the journal before the next thing happens; the ceilings of the contract hold at every turn.
 *
 * The same program resumes a run, replays it and forks it: driven again, every call below first asks the run's past what came
 * of it then. So it must do nothing that is neither recorded nor follows from what is.
 */
export function agentLoop(config: LoopConfig): RunBody {
  const tools = config.tools instanceof ToolRegistry ? config.tools : new ToolRegistry(config.tools ?? []);

  return async (run) => {
    const { output, gates = [] } = config;
    const asking = new Asking(run, config, tools);
    const hints = new Hints(run);
    const conversation = new Conversation(config.context);
    if (config.instructions !== undefined) conversation.addInstructions(config.instructions);
    conversation.addHistory(config.history ?? []);
    conversation.addInput(await admittedInput(run, config, asking));
    for (const { message, pinned } of (await config.recall?.(run)) ?? []) conversation.addMemory(message, { pinned });
    asking.knowsCalls(conversation.callIds);

    let wasCorrected = false;
    for (let step = 1; ; step += 1) {
      for (const hint of hints.take()) conversation.addPinned({ role: "user", content: hint.text });
      const candidates = await asking.candidates(conversation);
      // What a fork began with was fitted to the model of then; it is fitted to another before that one is asked.
      const wasFitted = run.past?.isOrigins === true && run.past.next === "StepStarted";
      if (!wasFitted) await fitContext(run, conversation, asking.targetOf(candidates[0]), asking.summarize);
      await asking.reserve(conversation, candidates[0]);

      const stepStarted = performance.now();
      run.write({ type: "StepStarted", step });
      const answer = await asking.answer(conversation, candidates);
      conversation.observe(answer.usage, asking.lastAnswered);
      conversation.addAnswer(answer.message);
      await asking.checkBudget();

      const calls = answer.message.toolCalls ?? [];
      const results = await callTools(run, tools, calls, { ...asking.toolRules, gates });
      for (const result of results) conversation.addToolResult(result);
      run.write({ type: "StepFinished", step, durationMs: round(performance.now() - stepStarted) });

      const handedOff = results.find(({ name, isError }) => tools.get(name)?.endsRun === true && isError !== true);
      if (handedOff) return { output: handedOff.content, finishReason: "stop" };
      if (calls.length > 0) continue;

      const { result, correction } = outputIn(answer.message, output);
      if (output && correction !== undefined) {
        if (wasCorrected) throw unusableOutput(output, wasCorrected);
        wasCorrected = true;
        hints.correct(correction);
        continue;
      }
      if (hints.areWaiting && asking.allowsStep) continue;
      return { ...outcomeOf(answer), ...(result !== undefined && { result }) };
    }
  };
}

/** What was asked, as the gates let it pass. */
async function admittedInput(
  run: RunScope,
  { input, attachments = [], gates = [] }: LoopConfig,
  asking: Asking,
): Promise<Message> {
  const decision = await decideGates(run, gates, { point: "input", text: input, attachments }, asking.forGate);
  if (decision.decision === "deny") throw refusedBy(decision, "input");
  const content = decision.decision === "allow" ? (decision.text ?? input) : input;
  return { role: "user", content, ...(attachments.length > 0 && { attachments: [...attachments] }) };
}

/** A refusal is an answer too: its text is the output, and the finish reason says that something was withheld. */
function outcomeOf({ message, finishReason }: Answer): RunOutcome {
  if (message.refusal === undefined) return { output: message.content, finishReason };
  return { output: message.content || message.refusal, finishReason: "content-filter" };
}
