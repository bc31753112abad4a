import { BenchtopError, type ErrorCode, type EventInput } from "@benchtop/protocol";
import type { Block, Conversation } from "./conversation.ts";
import { exactCounter } from "./exact-counter.ts";
import type { ContextTarget } from "./policy.ts";
import { summarize, summaryMessage, type Ask, type Summary } from "./summary.ts";

/** What fitting needs of a run. */
export interface ContextScope {
  readonly signal: AbortSignal;
  write(event: EventInput<"ContextTrimmed">): void;
}

/**
 * Makes a conversation fit what its target can read, before it is sent: whole blocks go, the oldest first, and with
 * `overflow: "summarize"` a summary takes their place. Each time something goes, one `ContextTrimmed` says so.
 *
 * A summary that a provider fails to give is done without, which the event tells (`summaryError`); a run that is canceled
 * or over its budget meanwhile ends. Throws `CONTEXT_EXHAUSTED` when what may not go is still too much.
 */
export async function fitContext(
  run: ContextScope,
  conversation: Conversation,
  target: ContextTarget,
  ask?: Ask,
): Promise<void> {
  await aim(conversation, target);
  const { tokenLimit } = conversation.limits;
  if (conversation.promptTokens > tokenLimit && conversation.leastTokens > tokenLimit) throw exhausted(conversation);
  const going = conversation.overflow();
  if (going.length > 0) {
    const wanted = conversation.policy.overflow === "summarize" && ask !== undefined && !going.every(isSummary);
    if (wanted) await shorten(run, conversation, ask);
    else trim(run, conversation, going);
  }
  // What was summarised may still be too much where a summary turned out long or memories fill the window.
  for (let still = conversation.overflow(); still.length > 0; still = conversation.overflow()) {
    trim(run, conversation, still);
  }
}

/** Below this part of the limit an estimate is good enough, and a tokenizer need not be loaded. */
const estimateIsEnoughBelow = 0.6;

async function aim(conversation: Conversation, target: ContextTarget): Promise<void> {
  conversation.aimAt(target);
  if (conversation.promptTokens < conversation.limits.tokenLimit * estimateIsEnoughBelow) return;
  const counter = await exactCounter(target);
  if (counter) conversation.aimAt(target, counter);
}

async function shorten(run: ContextScope, conversation: Conversation, ask: Ask): Promise<void> {
  const room = summaryRoom(conversation);
  const going = conversation.overflow(room);
  try {
    const summary = await summarize(going, room, conversation.limits.tokenLimit, ask);
    trim(run, conversation, going, summary);
  } catch (thrown) {
    trim(run, conversation, going, undefined, forgivable(run, thrown));
  }
}

/** Tokens that a summary may take: enough for a page or two, and little of a small window. */
function summaryRoom({ limits }: Conversation): number {
  return Math.min(2000, Math.floor(limits.tokenTarget / 4));
}

/** A provider's failure is no reason to end a run that goes on without the summary; everything else is. */
function forgivable(run: ContextScope, thrown: unknown): ErrorCode {
  const error = BenchtopError.from(thrown);
  if (run.signal.aborted || error.category !== "provider") throw thrown;
  return error.code;
}

function trim(
  run: ContextScope,
  conversation: Conversation,
  going: readonly Block[],
  summary?: Summary,
  summaryError?: ErrorCode,
): void {
  const dropped = going.flatMap((block) => block.messages);
  const tokensDropped = conversation.tokensOf(going);
  conversation.drop(going, summary && summaryMessage(summary.text));
  run.write({
    type: "ContextTrimmed",
    droppedMessages: dropped.length,
    keptMessages: conversation.messages.length,
    estimatedTokensDropped: tokensDropped,
    estimatedTokensKept: conversation.promptTokens,
    tokenLimit: conversation.limits.tokenLimit,
    ...(summary && { summary: summary.text, summaryCallId: summary.callId }),
    ...(summaryError !== undefined && { summaryError }),
    keptHistory: conversation.kept("history"),
    keptAnswers: conversation.kept("run"),
  });
}

function exhausted({ leastTokens: promptTokens, limits, target }: Conversation): BenchtopError {
  return new BenchtopError(
    "CONTEXT_EXHAUSTED",
    `What has to be sent is about ${promptTokens} tokens, and ${limits.tokenLimit} fit. Ask for less, or use a model with a larger context.`,
    {
      providerId: target.providerId,
      modelId: target.modelId,
      detail: { promptTokens, tokenLimit: limits.tokenLimit, toolTokens: target.extraTokens ?? 0 },
    },
  );
}

function isSummary(block: Block): boolean {
  return block.summary === true;
}
