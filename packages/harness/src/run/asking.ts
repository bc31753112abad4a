import type { Message } from "@benchtop/protocol";
import type { Conversation } from "../context/conversation.ts";
import type { ContextTarget } from "../context/policy.ts";
import type { Ask } from "../context/summary.ts";
import { decideGates, holdsOutput, refusedBy } from "../gates/decide.ts";
import type { GateAsk } from "../gates/gate.ts";
import type { Candidate, Needs } from "../model/candidates.ts";
import { estimateMessageTokens } from "../context/estimate.ts";
import { isText } from "../provider/attachment.ts";
import { askModel, Plan } from "../reliability/ask-model.ts";
import { reliabilityOf, type ReliabilityPolicy } from "../reliability/policy.ts";
import type { ToolRules } from "../tools/call-tools.ts";
import type { ToolRegistry } from "../tools/registry.ts";
import type { LoopConfig } from "./agent-loop.ts";
import { Budget } from "./budget.ts";
import type { Answer, Prompt, Screen } from "./call-provider.ts";
import type { RunScope } from "./scope.ts";

type Candidates = readonly [Candidate, ...Candidate[]];

/** How a run asks models: for its own answers, for a summary of what does not fit, on behalf of a gate; all on one budget. */
export class Asking {
  readonly #run: RunScope;
  readonly #config: LoopConfig;
  readonly #tools: ToolRegistry;
  readonly #plan: Plan;
  readonly #budget: Budget;
  readonly #reliability: ReliabilityPolicy;
  readonly #callIds = new Set<string>();

  constructor(run: RunScope, config: LoopConfig, tools: ToolRegistry) {
    const { candidates, constraints, breaker } = config;
    this.#run = run;
    this.#config = config;
    this.#tools = tools;
    this.#reliability = reliabilityOf(config.reliability);
    this.#plan = new Plan({ candidates, constraints, breaker, retry: this.#reliability.retry });
    this.#budget = new Budget(run, candidates);
  }

  /** Tool calls of earlier turns: no new call gets an id of theirs. */
  knowsCalls(callIds: readonly string[]): void {
    for (const callId of callIds) this.#callIds.add(callId);
  }

  /** Who can answer this conversation. Where it is too long for everybody, it is made shorter for the first. */
  candidates(conversation: Conversation): Promise<Candidates> {
    const { output, attachments = [] } = this.#config;
    const needs: Needs = {
      tools: this.#tools.specs.length > 0,
      output: output !== undefined,
      attachments: attachments.some(({ mediaType }) => !isText(mediaType)),
      tokens: conversation.promptTokens,
    };
    return this.#plan.negotiate(this.#run, needs);
  }

  /** Who answered last: a plan stays with whoever did. */
  get lastAnswered(): ContextTarget | undefined {
    const [first] = this.#plan.candidates;
    return first && this.targetOf(first);
  }

  targetOf({ provider, modelId, contextTokens }: Candidate): ContextTarget {
    const { maxOutputTokens } = this.#config;
    return {
      providerId: provider.id,
      modelId,
      contextTokens,
      maxOutputTokens,
      extraTokens: this.#tools.estimatedTokens,
    };
  }

  reserve(conversation: Conversation, candidate: Candidate): Promise<number> {
    return this.#budget.reserve(conversation.promptTokens, candidate.prices);
  }

  checkBudget(): Promise<void> {
    return this.#budget.check();
  }

  get allowsStep(): boolean {
    return this.#budget.allowsStep;
  }

  get toolRules(): Omit<ToolRules, "gates"> {
    const { toolGraceMs = 5000 } = this.#config;
    return { askModel: this.forGate, timeoutMs: this.#reliability.timeouts.toolMs, graceMs: toolGraceMs };
  }

  answer(conversation: Conversation, candidates: Candidates): Promise<Answer> {
    const { maxOutputTokens, temperature, topP, seed, reasoningEffort, output } = this.#config;
    const prompt = {
      ...this.#common(conversation.messages),
      tools: this.#tools.specs,
      ...(maxOutputTokens !== undefined && { maxOutputTokens }),
      ...(temperature !== undefined && { temperature }),
      ...(topP !== undefined && { topP }),
      ...(seed !== undefined && { seed }),
      ...(reasoningEffort !== undefined && { reasoningEffort }),
      ...(output && { output }),
      ...this.#screen(),
    };
    return this.#ask(candidates, prompt, conversation.roughTokens);
  }

  /** A summary of messages that are about to go. */
  readonly summarize: Ask = async (messages) => {
    const prompt = { ...this.#common(messages), purpose: "compaction" as const };
    const { callId, message } = await this.#ask(await this.#anybody(prompt), prompt);
    await this.checkBudget();
    return { text: message.content, callId };
  };

  /** A question of a gate; the answer is the model's text. What keeps it from being asked is the gate's to tell. */
  readonly forGate: GateAsk = async ({ instructions, input, answer, maxOutputTokens }) => {
    const messages: Message[] = [
      { role: "system", content: instructions },
      { role: "user", content: input },
    ];
    const prompt = { ...this.#common(messages), purpose: "gate" as const, output: answer, maxOutputTokens };
    const { message } = await this.#ask(await this.#anybody(prompt), prompt);
    return message.content;
  };

  #ask(candidates: Candidates, prompt: Prompt, messageTokens = tokensOf(prompt.messages)): Promise<Answer> {
    const tokens = messageTokens + (prompt.tools.length > 0 ? this.#tools.estimatedTokens : 0);
    return askModel(this.#run, this.#plan, candidates, prompt, async ({ prices }) =>
      prompt.purpose === "gate" ? this.#budget.spare(tokens, prices) : await this.#budget.tokensLeft(tokens, prices),
    );
  }

  #anybody({ messages, purpose }: Prompt): Promise<Candidates> {
    const needs = { tools: false, output: false, attachments: false, tokens: tokensOf(messages) };
    return this.#plan.negotiate(this.#run, needs, purpose);
  }

  #common(messages: readonly Message[]): Prompt {
    const { readAttachment } = this.#config;
    return {
      messages,
      tools: [],
      callIds: this.#callIds,
      timeouts: this.#reliability.timeouts,
      ...(readAttachment && { readAttachment }),
    };
  }

  /** What the model says passes the gates before its call is closed. */
  #screen(): { screen?: Screen } {
    const { gates = [] } = this.#config;
    if (!gates.some(({ points }) => points.includes("output"))) return {};
    return {
      screen: {
        holdsText: holdsOutput(gates),
        judge: async ({ content, refusal, reasoning }) => {
          const text = refusal === undefined ? content : `${content}${refusal}`;
          const subject = { point: "output" as const, text, ...(reasoning !== undefined && { reasoning }) };
          const decision = await decideGates(this.#run, gates, subject, this.forGate);
          if (decision.decision === "deny") throw refusedBy(decision, "output");
          return decision.decision === "allow" ? decision.text : undefined;
        },
      },
    };
  }
}

function tokensOf(messages: readonly Message[]): number {
  return messages.reduce((sum, message) => sum + estimateMessageTokens(message), 0);
}
