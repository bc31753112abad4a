import type { Message } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { Conversation } from "./conversation.ts";

const user = (content: string): Message => ({ role: "user", content });
const assistant = (content: string, ...callIds: string[]): Message => ({
  role: "assistant",
  content,
  ...(callIds.length > 0 && { toolCalls: callIds.map((callId) => ({ callId, name: "tool", arguments: {} })) }),
});
const tool = (callId: string, content = "ok"): Message => ({ role: "tool", callId, name: "tool", content });

function conversation(
  limits: { maxMessages?: number; maxTokens?: number },
  history: Message[],
  asked = "now",
): Conversation {
  const made = new Conversation(limits);
  made.addPinned({ role: "system", content: "Be brief." });
  made.addHistory(history);
  made.addPinned(user(asked));
  return made;
}

describe("H2 bounded history", () => {
  test("is whole, and nothing is said, while it fits", () => {
    const made = conversation({}, [user("a"), assistant("b")]);
    expect(made.trim()).toBeUndefined();
    expect(made.messages.map((message) => message.content)).toEqual(["Be brief.", "a", "b", "now"]);
  });

  test("loses its oldest turns first, and says how much", () => {
    const history = [user("1"), assistant("one"), user("2"), assistant("two"), user("3"), assistant("three")];
    const made = conversation({ maxMessages: 5 }, history);
    expect(made.trim()).toMatchObject({
      droppedMessages: 2,
      keptMessages: 6,
      estimatedTokensDropped: expect.any(Number),
    });
    expect(made.messages.map((message) => message.content)).toEqual(["Be brief.", "2", "two", "3", "three", "now"]);
    expect(made.trim()).toBeUndefined();
  });

  test("never separates a tool call from its result", () => {
    const history = Array.from({ length: 20 }, (_, turn) => [
      user(`q${turn}`),
      assistant("", `a${turn}`, `b${turn}`),
      tool(`a${turn}`),
      tool(`b${turn}`),
      assistant(`r${turn}`),
    ]).flat();
    for (let maxMessages = 1; maxMessages < 110; maxMessages += 1) {
      const made = conversation({ maxMessages }, history);
      made.trim();
      const called = made.messages.flatMap((m) =>
        m.role === "assistant" ? (m.toolCalls ?? []).map((c) => c.callId) : [],
      );
      const answered = made.messages.flatMap((m) => (m.role === "tool" ? [m.callId] : []));
      expect(answered).toEqual(called);
    }
  });

  test("keeps the instructions and the newest question, however small the limit", () => {
    const made = conversation(
      { maxMessages: 1, maxTokens: 1 },
      [user("a"), assistant("b")],
      "a long question ".repeat(100),
    );
    made.trim();
    expect(made.messages.map((message) => message.role)).toEqual(["system", "user"]);
  });

  test("drops the oldest steps of a long run, but not the results the model is about to read", () => {
    const made = conversation({ maxTokens: 200 }, []);
    for (let step = 0; step < 10; step += 1) {
      made.addAnswer(assistant("", `c${step}`));
      made.addToolResult(tool(`c${step}`, "word ".repeat(40)));
    }
    expect(made.trim()?.droppedMessages).toBeGreaterThan(10);
    expect(made.messages.at(-1)).toMatchObject({ callId: "c9" });
    expect(made.messages[1]).toEqual(user("now"));
    expect(made.estimatedTokens).toBeLessThanOrEqual(200);
  });
});
