import type { EventInput, Message } from "@benchtop/protocol";
import { estimateMessageTokens } from "./estimate.ts";

/** How much of a conversation a model is shown. */
export interface HistoryLimits {
  /** Messages, the instructions not counted. */
  readonly maxMessages: number;
  /** Estimated tokens of everything that is sent. */
  readonly maxTokens: number;
}

export const defaultHistoryLimits: HistoryLimits = { maxMessages: 400, maxTokens: 120_000 };

/** One or more messages that stay or go together: a tool call is never shown without its result. */
interface Block {
  readonly messages: Message[];
  tokens: number;
  /** The instructions, what the run was asked, and hints: never dropped. */
  readonly pinned: boolean;
}

/**
 * The messages of a run in the making: instructions, history, the question, and what the run itself adds. `trim` drops
 * the oldest blocks that may go; what is dropped stays dropped, so that from one call to the next the beginning of the
 * prompt changes rarely and a provider's prompt cache keeps its worth.
 */
export class Conversation {
  readonly #limits: HistoryLimits;
  #blocks: Block[] = [];

  constructor(limits: Partial<HistoryLimits> = {}) {
    this.#limits = { ...defaultHistoryLimits, ...limits };
  }

  /** Adds earlier turns; each turn, a user's message and all that answers it, is one block. */
  addHistory(history: readonly Message[]): void {
    for (const message of history) {
      const last = this.#blocks.at(-1);
      if (message.role === "user" || message.role === "system" || !last || last.pinned) {
        this.#blocks.push(blockOf(message, message.role === "system"));
      } else {
        append(last, message);
      }
    }
  }

  addPinned(message: Message): void {
    this.#blocks.push(blockOf(message, true));
  }

  /** Adds what the model said; the results of its tool calls join it. */
  addAnswer(message: Message): void {
    this.#blocks.push(blockOf(message, false));
  }

  addToolResult(message: Message): void {
    const last = this.#blocks.at(-1);
    if (last) append(last, message);
  }

  get messages(): readonly Message[] {
    return this.#blocks.flatMap((block) => block.messages);
  }

  /** Ids of the tool calls in it. */
  get callIds(): readonly string[] {
    return this.messages.flatMap((message) =>
      message.role === "assistant" ? (message.toolCalls ?? []).map((call) => call.callId) : [],
    );
  }

  get estimatedTokens(): number {
    return this.#blocks.reduce((sum, block) => sum + block.tokens, 0);
  }

  /**
   * Makes the conversation fit. Once over the limit of tokens it goes down to three quarters of it, so that the next
   * calls only append. The newest answer with its results always stays, for the model is about to read it.
   */
  trim(): EventInput<"ContextTrimmed"> | undefined {
    const { maxMessages, maxTokens } = this.#limits;
    let messages = this.#blocks.reduce((sum, block) => sum + countedMessages(block), 0);
    let tokens = this.estimatedTokens;
    if (messages <= maxMessages && tokens <= maxTokens) return undefined;

    const tokensWanted = tokens > maxTokens ? maxTokens * 0.75 : maxTokens;
    const newest = this.#blocks.findLast((block) => !block.pinned);
    let dropped = 0;
    let tokensDropped = 0;
    this.#blocks = this.#blocks.filter((block) => {
      if (block.pinned || (block === newest && isAnswer(block))) return true;
      if (messages <= maxMessages && tokens <= tokensWanted) return true;
      messages -= block.messages.length;
      tokens -= block.tokens;
      dropped += block.messages.length;
      tokensDropped += block.tokens;
      return false;
    });
    if (dropped === 0) return undefined;
    return {
      type: "ContextTrimmed",
      droppedMessages: dropped,
      keptMessages: this.messages.length,
      estimatedTokensDropped: tokensDropped,
    };
  }
}

function blockOf(message: Message, pinned: boolean): Block {
  return { messages: [message], tokens: estimateMessageTokens(message), pinned };
}

function append(block: Block, message: Message): void {
  block.messages.push(message);
  block.tokens += estimateMessageTokens(message);
}

function countedMessages(block: Block): number {
  return block.messages[0]?.role === "system" ? 0 : block.messages.length;
}

function isAnswer(block: Block): boolean {
  return block.messages[0]?.role === "assistant";
}
