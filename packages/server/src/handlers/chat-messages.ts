import type { ChatMessage } from "@benchtop/operations";
import { BenchtopError, type Message } from "@benchtop/protocol";

/**
 * A caller's conversation as the harness has it. A tool's message that names no call belongs to the newest call of its name.
 * Throws `VALIDATION_FAILED` for one that belongs to none.
 */
export function chatMessages(given: readonly ChatMessage[]): Message[] {
  const messages: Message[] = [];
  for (const [index, { role, content, toolCalls = [], callId, name }] of given.entries()) {
    if (role === "system" || role === "user") messages.push({ role, content });
    else if (role === "assistant") messages.push({ role, content, ...(toolCalls.length > 0 && { toolCalls }) });
    else messages.push({ role, content, ...calledIn(messages, callId, name, index) });
  }
  return messages;
}

function calledIn(
  before: readonly Message[],
  callId: string | undefined,
  name: string | undefined,
  index: number,
): { callId: string; name: string } {
  const calls = before.flatMap((message) => (message.role === "assistant" ? (message.toolCalls ?? []) : []));
  const called = calls.findLast((call) => (callId === undefined ? call.name === name : call.callId === callId));
  if (called) return { callId: called.callId, name: called.name };
  throw new BenchtopError("VALIDATION_FAILED", `Message ${index + 1} is the result of a tool that nobody called.`, {
    phase: "run",
    detail: { fields: ["messages"] },
  });
}
