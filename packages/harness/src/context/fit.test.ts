import { BenchtopError, type EventInput, type Message } from "@benchtop/protocol";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Conversation } from "./conversation.ts";
import { fitContext, type ContextScope } from "./fit.ts";
import type { ContextPolicy, ContextTarget } from "./policy.ts";
import type { Ask } from "./summary.ts";

const target: ContextTarget = { providerId: "p", modelId: "m" };

function recordingRun(): ContextScope & { events: EventInput<"ContextTrimmed">[]; abort: AbortController } {
  const abort = new AbortController();
  const events: EventInput<"ContextTrimmed">[] = [];
  return { abort, signal: abort.signal, events, write: (event) => void events.push(event) };
}

const user = (content: string): Message => ({ role: "user", content });
const assistant = (content: string): Message => ({ role: "assistant", content });
const long = (name: string) => `${name} ${"word ".repeat(200)}`;

function talk(turns: number): Message[] {
  return Array.from({ length: turns }, (_, turn) => [user(long(`q${turn}`)), assistant(long(`a${turn}`))]).flat();
}

function conversation(policy: ContextPolicy, history: readonly Message[]): Conversation {
  const made = new Conversation({ maxTokens: 2100, reservedOutputTokens: 100, ...policy });
  made.addInstructions("Be brief.");
  made.addHistory(history);
  made.addInput(user("now"));
  return made;
}

/** A window in which one call can read what goes. */
const large: ContextPolicy = { maxTokens: 20_100, overflow: "summarize" };

/** A summariser that remembers what it was asked. */
function summarizer(...answers: (string | Error)[]): Ask & { asked: (readonly Message[])[] } {
  const asked: (readonly Message[])[] = [];
  const ask = async (messages: readonly Message[]) => {
    asked.push(messages);
    const answer = answers[Math.min(asked.length, answers.length) - 1] ?? "";
    if (answer instanceof Error) throw answer;
    return { text: answer, callId: `call_${asked.length}` };
  };
  return Object.assign(ask, { asked });
}

describe("H5 a conversation that does not fit", () => {
  test("is left alone while it does", async () => {
    const run = recordingRun();
    const made = conversation({}, talk(1));
    await fitContext(run, made, target, summarizer("never"));
    expect(run.events).toEqual([]);
    expect(made.messages).toHaveLength(4);
  });

  test("loses its oldest turns, and one event says how much went and how much is left", async () => {
    const run = recordingRun();
    const made = conversation({}, talk(10));
    await fitContext(run, made, target);
    expect(run.events).toEqual([
      {
        type: "ContextTrimmed",
        droppedMessages: 16,
        keptMessages: 6,
        estimatedTokensDropped: expect.any(Number),
        estimatedTokensKept: made.promptTokens,
        tokenLimit: 2000,
        keptHistory: 4,
        keptAnswers: 0,
      },
    ]);
    expect(made.promptTokens).toBeLessThanOrEqual(1500);
    await fitContext(run, made, target);
    expect(run.events).toHaveLength(1);
  });

  test("goes down to the target, so that the next steps only append", async () => {
    const run = recordingRun();
    const made = conversation({ targetRatio: 0.5 }, talk(10));
    await fitContext(run, made, target);
    expect(made.promptTokens).toBeLessThanOrEqual(1000);
  });

  test("is told in a summary where the policy wants it, in the place of what went", async () => {
    const run = recordingRun();
    const made = conversation(large, talk(42));
    const ask = summarizer("They greeted each other.");
    await fitContext(run, made, target, ask);
    expect(run.events).toMatchObject([{ summary: "They greeted each other.", summaryCallId: "call_1" }]);
    expect(made.messages[1]).toEqual(user(expect.stringContaining("They greeted each other.")));
    expect(made.messages.at(-1)).toEqual(user("now"));
    const transcript = ask.asked.at(-1)?.at(-1)?.content ?? "";
    expect(transcript).toContain("[user] q0");
    expect(transcript).toContain("[assistant] a0");
    expect(transcript).not.toContain("now");
    expect(made.promptTokens).toBeLessThanOrEqual(15_000);
  });

  test("folds an earlier summary into the next", async () => {
    const run = recordingRun();
    const made = conversation(large, talk(42));
    const ask = summarizer("first", "second");
    await fitContext(run, made, target, ask);
    for (let step = 0; step < 30; step += 1) made.addAnswer(assistant(long(`s${step}`)));
    await fitContext(run, made, target, ask);
    expect(ask.asked).toHaveLength(2);
    expect(ask.asked[1]?.at(-1)?.content).toContain("first");
    const summaries = made.messages.filter(({ content }) => content.startsWith("[Summary"));
    expect(summaries.map(({ content }) => content.split("\n")[1])).toEqual(["second"]);
  });

  test("is summarised in several calls when one cannot read it, each continuing the one before", async () => {
    const run = recordingRun();
    const made = conversation({ overflow: "summarize" }, talk(14));
    const ask = summarizer("one", "two", "three", "four");
    await fitContext(run, made, target, ask);
    expect(ask.asked.length).toBeGreaterThan(1);
    expect(ask.asked[1]?.at(-1)?.content).toContain("Notes so far, to be continued and merged:\none");
    expect(run.events).toMatchObject([{ summaryCallId: `call_${ask.asked.length}` }]);
    for (const messages of ask.asked) {
      const characters = messages.reduce((sum, { content }) => sum + content.length, 0);
      expect(characters / 4).toBeLessThan(2000);
    }
  });

  test("is shortened without a summary when the provider fails to give one, and the event says why", async () => {
    const run = recordingRun();
    const made = conversation({ overflow: "summarize" }, talk(10));
    await fitContext(run, made, target, summarizer(new BenchtopError("PROVIDER_UNAVAILABLE", "It broke.")));
    expect(run.events).toMatchObject([{ summaryError: "PROVIDER_UNAVAILABLE", droppedMessages: 16 }]);
    expect(run.events[0]).not.toHaveProperty("summary");
    expect(made.promptTokens).toBeLessThanOrEqual(1500);
  });

  test("counts a summary without text as none", async () => {
    const run = recordingRun();
    await fitContext(run, conversation({ overflow: "summarize" }, talk(10)), target, summarizer("  \n"));
    expect(run.events).toMatchObject([{ summaryError: "PROVIDER_UNAVAILABLE" }]);
  });

  test("cuts a summary that is longer than asked for, so that it fits", async () => {
    const run = recordingRun();
    const made = conversation({ overflow: "summarize" }, talk(10));
    await fitContext(run, made, target, summarizer("too long ".repeat(5000)));
    expect(run.events[0]?.summary).toMatch(/ \[cut\]$/);
    expect(made.promptTokens).toBeLessThanOrEqual(2000);
  });

  test.for(["USER_CANCELED", "BUDGET_CAP_REACHED", "DISK_FULL", "REPLAY_DIVERGED"] as const)(
    "ends the run when the summary ended by %s",
    async (code) => {
      const run = recordingRun();
      const made = conversation({ overflow: "summarize" }, talk(10));
      const fitting = fitContext(run, made, target, summarizer(new BenchtopError(code, "No.")));
      await expect(fitting).rejects.toMatchObject({ code });
      expect(run.events).toEqual([]);
    },
  );

  test("is refused with its numbers when what must stay is too much", async () => {
    const run = recordingRun();
    const made = conversation({ overflow: "summarize" }, talk(3));
    made.addPinned(user("secret ".repeat(5000)));
    const ask = summarizer("never");
    const fitting = fitContext(run, made, { ...target, extraTokens: 10 }, ask);
    await expect(fitting).rejects.toMatchObject({
      code: "CONTEXT_EXHAUSTED",
      info: {
        provider_id: "p",
        model_id: "m",
        detail: { promptTokens: expect.any(Number), tokenLimit: 2000, toolTokens: 10 },
      },
    });
    await expect(fitting).rejects.not.toThrow(/secret/);
    expect(ask.asked).toEqual([]);
  });

  test("fits a smaller model by losing more", async () => {
    const run = recordingRun();
    const made = conversation({}, talk(3));
    await fitContext(run, made, target);
    expect(run.events).toEqual([]);
    await fitContext(run, made, { providerId: "p", modelId: "small", contextTokens: 1200 });
    expect(made.promptTokens).toBeLessThanOrEqual(825);
    expect(run.events).toHaveLength(1);
  });
});

/** Any conversation of a run: turns of before, hints, answers that call tools, with results of any size. */
const anyText = fc.integer({ min: 0, max: 4000 }).map((length) => "x".repeat(length));
const anyStep = fc.record({
  hint: fc.option(anyText, { nil: undefined }),
  text: anyText,
  results: fc.array(anyText, { maxLength: 4 }),
});
const anyConversation = fc.record({
  history: fc.array(fc.record({ asked: anyText, steps: fc.array(anyStep, { maxLength: 3 }) }), { maxLength: 6 }),
  memories: fc.array(fc.record({ text: anyText, pinned: fc.boolean() }), { maxLength: 3 }),
  steps: fc.array(anyStep, { maxLength: 8 }),
  maxMessages: fc.integer({ min: 1, max: 40 }),
  maxTokens: fc.integer({ min: 50, max: 6000 }),
  targetRatio: fc.double({ min: 0.1, max: 1, noNaN: true }),
  summary: fc.option(fc.constantFrom("short", "long ".repeat(2000), "fails", ""), { nil: undefined }),
});

describe("H5 whatever the conversation", () => {
  test("no call is parted from its result, nothing pinned goes, and it fits or is refused", async () => {
    await fc.assert(
      fc.asyncProperty(anyConversation, async ({ history, memories, steps, summary, ...limits }) => {
        let calls = 0;
        const pinned: string[] = ["Be brief.", "asked"];
        const messagesOf = ({ text, results }: { text: string; results: string[] }): [Message, ...Message[]] => {
          const ids = results.map(() => `call_${(calls += 1)}`);
          const toolCalls = ids.map((callId) => ({ callId, name: "tool", arguments: {} }));
          return [
            { role: "assistant", content: text, ...(ids.length > 0 && { toolCalls }) },
            ...results.map((content, place): Message => ({
              role: "tool",
              callId: ids[place] ?? "",
              name: "tool",
              content,
            })),
          ];
        };
        const made = new Conversation({
          ...limits,
          reservedOutputTokens: 10,
          overflow: summary === undefined ? "drop" : "summarize",
        });
        made.addInstructions("Be brief.");
        made.addHistory(history.flatMap(({ asked, steps }) => [user(asked), ...steps.flatMap(messagesOf)]));
        for (const { text, pinned: stays } of memories) {
          made.addMemory(user(`memory ${text}`), { pinned: stays });
          if (stays) pinned.push(`memory ${text}`);
        }
        made.addInput(user("asked"));

        const run = recordingRun();
        const ask: Ask = async () => {
          if (summary === "fails") throw new BenchtopError("PROVIDER_RATE_LIMITED", "No.");
          return { text: summary ?? "", callId: "call" };
        };
        for (const step of steps) {
          if (step.hint !== undefined) {
            made.addPinned(user(`hint ${step.hint}`));
            pinned.push(`hint ${step.hint}`);
          }
          const [answer, ...results] = messagesOf(step);
          made.addAnswer(answer);
          for (const result of results) made.addToolResult(result);
          const before = made.messages;
          const fitted = await fitContext(run, made, target, ask).then(
            () => true,
            (error: unknown) => {
              if (BenchtopError.is(error) && error.code === "CONTEXT_EXHAUSTED") return false;
              throw error;
            },
          );

          const called = made.messages.flatMap((m) =>
            m.role === "assistant" ? (m.toolCalls ?? []).map((c) => c.callId) : [],
          );
          const answered = made.messages.flatMap((m) => (m.role === "tool" ? [m.callId] : []));
          expect(answered).toEqual(called);
          const contents = made.messages.map(({ content }) => content);
          for (const text of pinned) expect(contents).toContain(text);
          expect(made.messages).toContain(answer);
          expect(fitted).toBe(made.promptTokens <= limits.maxTokens - Math.min(10, Math.floor(limits.maxTokens / 2)));
          const shown = new Set(made.messages);
          const order = before.filter((message) => shown.has(message));
          expect(made.messages.filter((message) => before.includes(message))).toEqual(order);
          if (!fitted) return;
        }
        expect(run.events.every((event) => event.droppedMessages > 0)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
