import type { Message, Usage } from "@benchtop/protocol";
import { Calibration } from "./calibration.ts";
import { estimateMessageTokens, estimatingCounter, type TokenCounter } from "./estimate.ts";
import {
  checkPolicy,
  contextLimits,
  defaultOrder,
  type ContextLimits,
  type ContextPart,
  type ContextPolicy,
  type ContextTarget,
} from "./policy.ts";

/** One or more messages that stay or go together: a tool call is never shown without its result. */
export interface Block {
  readonly messages: Message[];
  readonly part: ContextPart | "run";
  readonly pinned: boolean;
  /** It stands for messages that went before. */
  readonly summary?: boolean;
}

/**
 * The messages of a run in the making: instructions, memory, history, the question, and what the run itself adds. It
 * knows which blocks would have to go to make it fit (`overflow`) and lets them go (`drop`); `fitContext` decides. What is
 * dropped stays dropped.
 */
export class Conversation {
  readonly policy: ContextPolicy;
  readonly #calibration = new Calibration();
  #parts: Record<Block["part"], Block[]> = { instructions: [], memory: [], history: [], input: [], run: [] };
  #target: ContextTarget = { providerId: "", modelId: "" };
  #limits: ContextLimits;
  #counter: TokenCounter = estimatingCounter;
  readonly #counted = new Map<TokenCounter, WeakMap<Message, number>>();
  /** What all blocks come to, kept as messages are added: a long run asks several times a turn. Made anew after a drop. */
  readonly #totals = new Map<TokenCounter, number>();
  #countedMessages = 0;

  /** Throws `VALIDATION_FAILED` for a policy that nothing can satisfy. */
  constructor(policy: ContextPolicy = {}) {
    checkPolicy(policy);
    this.policy = policy;
    this.#limits = contextLimits(policy);
  }

  addInstructions(content: string): void {
    this.#add("instructions", { role: "system", content }, true);
  }

  /** Adds what was remembered. Working notes are pinned; of other memories the last go first. */
  addMemory(message: Message, { pinned = false } = {}): void {
    this.#add("memory", message, pinned);
  }

  /** Adds earlier turns; each turn, a user's message and all that answers it, is one block. */
  addHistory(history: readonly Message[]): void {
    for (const message of history) {
      const last = this.#parts.history.at(-1);
      if (message.role === "user" || message.role === "system" || !last || last.messages[0]?.role === "system") {
        this.#add("history", message, message.role === "system");
      } else {
        this.#append(last, message);
      }
    }
  }

  /** Adds what the run was asked. */
  addInput(message: Message): void {
    this.#add("input", message, true);
  }

  /** Adds a hint: it stays where the run received it. */
  addPinned(message: Message): void {
    this.#add("run", message, true);
  }

  /** Adds what the model said; the results of its tool calls join it. */
  addAnswer(message: Message): void {
    this.#add("run", message, false);
  }

  /** Adds the result of a tool call to the answer that asked for it. */
  addToolResult(message: Message): void {
    const asking =
      message.role === "tool" &&
      this.#parts.run.findLast((block) => callIdsOf(block.messages).includes(message.callId));
    const block = asking || this.#parts.run.at(-1);
    if (block) this.#append(block, message);
  }

  get messages(): readonly Message[] {
    return this.blocks.flatMap((block) => block.messages);
  }

  get blocks(): readonly Block[] {
    const { order = defaultOrder } = this.policy;
    return [...order, "run" as const].flatMap((part) => this.#parts[part]);
  }

  /** Ids of the tool calls in it. */
  get callIds(): readonly string[] {
    return callIdsOf(this.messages);
  }

  get limits(): ContextLimits {
    return this.#limits;
  }

  get target(): ContextTarget {
    return this.#target;
  }

  /** Tokens of the messages, as the target's provider would count them. */
  get estimatedTokens(): number {
    return this.#calibrated(this.#total(this.#counter));
  }

  /** The same with the tools and what else is sent. */
  get promptTokens(): number {
    return this.#calibrated(this.#total(this.#counter) + (this.#target.extraTokens ?? 0));
  }

  /** Tokens of the messages by estimate alone, as any target's. */
  get roughTokens(): number {
    return this.#total(estimatingCounter);
  }

  /** Tokens of some blocks, as the target's provider would count them. */
  tokensOf(blocks: readonly Block[], extraTokens = 0): number {
    return this.#calibrated(this.#count(blocks, this.#counter) + extraTokens);
  }

  /** From now on it has to fit this target; tokens are counted by this counter. */
  aimAt(target: ContextTarget, counter: TokenCounter = estimatingCounter): void {
    this.#target = target;
    this.#limits = contextLimits(this.policy, target);
    this.#counter = counter;
  }

  /** Learns from the usage that a provider reported for the prompt as it is now: call it before the answer is added. */
  observe(usage: Usage | undefined, target = this.#target): void {
    const isOther = target.providerId !== this.#target.providerId || target.modelId !== this.#target.modelId;
    const counter = isOther ? estimatingCounter : this.#counter;
    const counted = this.#total(counter) + (target.extraTokens ?? 0);
    this.#calibration.observe(target, counted, usage, counter.exact);
  }

  /**
   * Blocks that have to go to make it fit, in the order in which they go: the oldest of the history, then of what the run
   * said, and memories, the last first, when nothing else is left. The newest answer with its results always stays, for the
   * model is about to read it. Over the limit of tokens it goes down to the target, less `extra` tokens for what takes their place.
   */
  overflow(extra = 0): readonly Block[] {
    const { maxMessages, tokenLimit, tokenTarget } = this.#limits;
    let messages = this.#countedMessages;
    let tokens = this.promptTokens;
    if (messages <= maxMessages && tokens <= tokenLimit) return [];
    const wanted = tokens > tokenLimit ? tokenTarget - extra : tokenLimit;
    return this.#droppable().filter((block) => {
      if (messages <= maxMessages && tokens <= wanted) return false;
      // A memory takes no part of the history with it: it is the last that goes, and only for tokens.
      if (block.part === "memory" && tokens <= tokenLimit) return false;
      messages -= countedMessages(block);
      tokens -= this.tokensOf([block]);
      return true;
    });
  }

  /** Tokens of what can never go, with the tools and what else is sent. */
  get leastTokens(): number {
    const going = new Set(this.#droppable());
    return this.tokensOf(
      this.blocks.filter((block) => !going.has(block)),
      this.#target.extraTokens,
    );
  }

  /** Lets blocks go; with a message in their place where the first of them was. */
  drop(going: readonly Block[], inTheirPlace?: Message): void {
    const gone = new Set(going);
    const first = going.find((block) => block.part !== "memory");
    const summary: Block | undefined = first &&
      inTheirPlace && { messages: [inTheirPlace], part: first.part, pinned: false, summary: true };
    for (const part of Object.keys(this.#parts) as Block["part"][]) {
      this.#parts[part] = this.#parts[part].flatMap((block) => {
        if (!gone.has(block)) return [block];
        return block === first && summary ? [summary] : [];
      });
    }
    this.#totals.clear();
    this.#countedMessages = this.blocks.reduce((sum, block) => sum + countedMessages(block), 0);
  }

  /** Messages of a part that are no summary and could have been dropped. */
  kept(part: "history" | "run"): number {
    return this.#parts[part]
      .filter((block) => !block.summary && !block.pinned)
      .reduce((sum, block) => sum + block.messages.length, 0);
  }

  #droppable(): readonly Block[] {
    const { history, memory, run } = this.#parts;
    const pinned = new Set<Block["part"]>(this.policy.pinned);
    const newest = run.findLast((block) => !block.pinned);
    return [...history, ...run, ...memory.toReversed()].filter(
      (block) => !block.pinned && !pinned.has(block.part) && (block !== newest || !isAnswer(block)),
    );
  }

  #add(part: Block["part"], message: Message, pinned: boolean): void {
    const block: Block = { messages: [], part, pinned };
    this.#parts[part].push(block);
    this.#append(block, message);
  }

  #append(block: Block, message: Message): void {
    block.messages.push(message);
    if (block.messages[0]?.role !== "system") this.#countedMessages += 1;
    for (const [counter, total] of this.#totals) this.#totals.set(counter, total + this.#tokensIn(message, counter));
  }

  #total(counter: TokenCounter): number {
    const total = this.#totals.get(counter) ?? this.#count(this.blocks, counter);
    this.#totals.set(counter, total);
    return total;
  }

  #count(blocks: readonly Block[], counter: TokenCounter): number {
    let tokens = 0;
    for (const { messages } of blocks) for (const message of messages) tokens += this.#tokensIn(message, counter);
    return tokens;
  }

  /** Each message is counted once by each counter. */
  #tokensIn(message: Message, counter: TokenCounter): number {
    const counted = this.#counted.get(counter) ?? new WeakMap<Message, number>();
    this.#counted.set(counter, counted);
    const tokens = counted.get(message) ?? estimateMessageTokens(message, counter);
    counted.set(message, tokens);
    return tokens;
  }

  #calibrated(tokens: number): number {
    return Math.ceil(tokens * this.#calibration.ratioOf(this.#target, this.#counter.exact));
  }
}

function callIdsOf(messages: readonly Message[]): readonly string[] {
  return messages.flatMap((message) =>
    message.role === "assistant" ? (message.toolCalls ?? []).map((call) => call.callId) : [],
  );
}

function countedMessages(block: Block): number {
  return block.messages[0]?.role === "system" ? 0 : block.messages.length;
}

function isAnswer(block: Block): boolean {
  return block.messages[0]?.role === "assistant";
}
