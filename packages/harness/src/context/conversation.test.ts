import { BenchtopError, type Message } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { Conversation } from "./conversation.ts";
import type { ContextPolicy } from "./policy.ts";

const user = (content: string): Message => ({ role: "user", content });
const assistant = (content: string, ...callIds: string[]): Message => ({
  role: "assistant",
  content,
  ...(callIds.length > 0 && { toolCalls: callIds.map((callId) => ({ callId, name: "tool", arguments: {} })) }),
});
const tool = (callId: string, content = "ok"): Message => ({ role: "tool", callId, name: "tool", content });

function conversation(policy: ContextPolicy, history: Message[], asked = "now"): Conversation {
  const made = new Conversation(policy);
  made.addInstructions("Be brief.");
  made.addHistory(history);
  made.addInput(user(asked));
  return made;
}

const contents = (made: Conversation) => made.messages.map((message) => message.content);

describe("H5 the order of a prompt", () => {
  test("is instructions, history, memory and input, and then what the run adds", () => {
    const made = conversation({}, [user("a"), assistant("b")]);
    made.addAnswer(assistant("c"));
    made.addMemory(user("remembered"));
    expect(contents(made)).toEqual(["Be brief.", "a", "b", "remembered", "now", "c"]);
  });

  test("is what the policy says", () => {
    const made = conversation({ order: ["memory", "instructions", "input", "history"] }, [user("a")]);
    made.addMemory(user("remembered"));
    made.addPinned(user("a hint"));
    expect(contents(made)).toEqual(["remembered", "Be brief.", "now", "a", "a hint"]);
  });

  test.for<ContextPolicy>([
    { order: ["instructions", "history", "input"] },
    { order: ["instructions", "history", "history", "input"] },
    { maxTokens: 0 },
    { maxTokens: 1.5 },
    { maxMessages: -1 },
    { targetRatio: 0 },
    { targetRatio: 1.1 },
    { targetRatio: Number.NaN },
    { maxTokens: 100, reservedOutputTokens: 100 },
  ])("cannot be a policy that nothing satisfies: %j", (policy) => {
    expect(() => new Conversation(policy)).toThrow(BenchtopError);
  });
});

describe("H2 bounded history", () => {
  test("is whole while it fits", () => {
    const made = conversation({}, [user("a"), assistant("b")]);
    expect(made.overflow()).toEqual([]);
  });

  test("loses its oldest turns first", () => {
    const history = [user("1"), assistant("one"), user("2"), assistant("two"), user("3"), assistant("three")];
    const made = conversation({ maxMessages: 5 }, history);
    made.drop(made.overflow());
    expect(contents(made)).toEqual(["Be brief.", "2", "two", "3", "three", "now"]);
    expect(made.overflow()).toEqual([]);
  });

  test("keeps the instructions and the newest question, however small the limit", () => {
    const made = conversation({ maxMessages: 1, maxTokens: 2 }, [user("a"), assistant("b")], "a question ".repeat(100));
    made.drop(made.overflow());
    expect(made.messages.map((message) => message.role)).toEqual(["system", "user"]);
  });

  test("drops the oldest steps of a long run, but not the results the model is about to read", () => {
    const made = conversation({ maxTokens: 200, reservedOutputTokens: 1 }, []);
    for (let step = 0; step < 10; step += 1) {
      made.addAnswer(assistant("", `c${step}`));
      made.addToolResult(tool(`c${step}`, "word ".repeat(40)));
    }
    made.drop(made.overflow());
    expect(made.messages.length).toBeLessThan(12);
    expect(made.messages.at(-1)).toMatchObject({ callId: "c9" });
    expect(made.messages[1]).toEqual(user("now"));
    expect(made.promptTokens).toBeLessThanOrEqual(199);
  });

  test("drops memories last, and working notes and pinned parts never", () => {
    const long = "word ".repeat(400);
    const made = conversation({ maxTokens: 1000, reservedOutputTokens: 1 }, [user(long), assistant(long)]);
    made.addMemory(user(`note ${long}`), { pinned: true });
    made.addMemory(user(`best ${long}`));
    made.addMemory(user(`worst ${long}`));
    made.drop(made.overflow());
    expect(contents(made).map((content) => content.slice(0, 4))).toEqual(["Be b", "note", "now"]);

    const pinned = conversation({ maxTokens: 1000, pinned: ["history"] }, [user(long), assistant(long), user(long)]);
    expect(pinned.overflow()).toEqual([]);
  });

  test("puts a result to the call it answers, whatever was added in between", () => {
    const made = conversation({}, []);
    made.addAnswer(assistant("", "a", "b"));
    made.addPinned(user("hurry"));
    made.addToolResult(tool("a"));
    made.addToolResult(tool("b"));
    expect(made.messages.map((message) => message.role)).toEqual([
      "system",
      "user",
      "assistant",
      "tool",
      "tool",
      "user",
    ]);
  });
});

describe("H5 the window of a target", () => {
  const window = { providerId: "p", modelId: "m", contextTokens: 1000 };
  test.for([
    [{}, {}, 120_000 - 8192],
    [{}, window, 500],
    [{}, { ...window, contextTokens: 32_000 }, 32_000 - 8192],
    [{}, { ...window, maxOutputTokens: 100 }, 900],
    [{ maxTokens: 600, reservedOutputTokens: 100 }, window, 500],
    [{ maxTokens: 5000, reservedOutputTokens: 100 }, window, 900],
    [{ reservedOutputTokens: 900 }, window, 500],
  ] as const)("with the policy %j and the model %j takes %i tokens of prompt", ([policy, target, tokenLimit]) => {
    const made = new Conversation(policy);
    made.aimAt({ providerId: "p", modelId: "m", ...target });
    expect(made.limits.tokenLimit).toBe(tokenLimit);
  });

  test("counts what tools take, too", () => {
    const made = conversation({}, []);
    const before = made.estimatedTokens;
    made.aimAt({ providerId: "p", modelId: "m", extraTokens: 77 });
    expect(made.promptTokens).toBe(before + 77);
  });
});
