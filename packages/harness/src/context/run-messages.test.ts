import type { EventInput, Message, RunEvent } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { continued, messagesFromEvents, runMessages } from "./from-events.ts";

type Said = EventInput | { readonly type: "RunStarted"; readonly input: unknown };

function journal(...events: readonly Said[]): RunEvent[] {
  const place = { runId: "r", at: "", traceId: "t", spanId: "s" };
  return events.map((event, seq) => ({ ...place, seq, ...event }) as unknown as RunEvent);
}

const started: Said = { type: "RunStarted", input: { prompt: "asked" } };
const calling = (callId: string, purpose?: "compaction" | "gate"): Said => ({
  type: "ProviderCallStarted",
  callId,
  providerId: "p",
  modelId: "m",
  attempt: 1,
  requestHash: "",
  messageCount: 1,
  ...(purpose && { purpose }),
});
const answered = (callId: string, content: string, more: Partial<EventInput<"ProviderCallFinished">> = {}): Said => ({
  type: "ProviderCallFinished",
  callId,
  outcome: "success",
  message: { role: "assistant", content },
  durationMs: 1,
  ...more,
});
const failure = (error_code: "POLICY_DENIED" | "PROVIDER_UNAVAILABLE" | "RUN_INTERRUPTED") => ({
  outcome: "error" as const,
  error: { message: "No.", error_code, phase: "run" as const, retryable: true, actions: [] },
});
const gate = (decision: "redact" | "deny" | "allow", mode: "enforcing" | "shadow", replacement?: string): Said => ({
  type: "GateDecided",
  gate: "g",
  point: "input",
  mode,
  decision,
  durationMs: 1,
  ...(replacement !== undefined && { replacement }),
});
const trimmed = (keptHistory: number, keptAnswers: number, summary?: string): Said => ({
  type: "ContextTrimmed",
  droppedMessages: 1,
  keptMessages: 1,
  estimatedTokensDropped: 1,
  keptHistory,
  keptAnswers,
  ...(summary !== undefined && { summary, summaryCallId: "c" }),
});
const result = (content: string): Message => ({ role: "tool", callId: "c", name: "look", content });
const texts = (messages: readonly Message[]) => messages.map(({ content }) => content);

describe("the conversation read from a journal", () => {
  test("H5 has no part in calls for another purpose", () => {
    const events = journal(
      started,
      calling("a", "compaction"),
      answered("a", "a summary"),
      calling("b"),
      calling("c", "gate"),
      answered("c", "allowed"),
      answered("b", "the answer"),
    );
    expect(texts(messagesFromEvents(events))).toEqual(["asked", "the answer"]);
  });

  test("H4 says once what an attempt began and the next one said", () => {
    const events = journal(
      started,
      calling("a"),
      answered("a", "half of", failure("PROVIDER_UNAVAILABLE")),
      {
        type: "RetryScheduled",
        callId: "a",
        attempt: 2,
        delayMs: 1,
        error: failure("PROVIDER_UNAVAILABLE").error,
      },
      calling("b"),
      answered("b", "half of it"),
    );
    expect(texts(messagesFromEvents(events))).toEqual(["asked", "half of it"]);
  });

  test("H7 says once what a crash cut and the resumed run said again", () => {
    const cut: Said = { type: "OutputDelta", callId: "a", channel: "text", text: "half of" };
    expect(texts(messagesFromEvents(journal(started, calling("a"), cut)))).toEqual(["asked", "half of"]);
    const resumed = journal(
      started,
      calling("a"),
      cut,
      { type: "Resumed", reason: "crash" },
      calling("b"),
      answered("b", "half of it"),
    );
    expect(texts(messagesFromEvents(resumed))).toEqual(["asked", "half of it"]);
    const closed = answered("a", "half of", failure("RUN_INTERRUPTED"));
    expect(texts(messagesFromEvents(journal(started, calling("a"), cut, closed)))).toEqual(["asked", "half of"]);
    const closedAndResumed = journal(started, calling("a"), cut, closed, calling("b"), answered("b", "half of it"));
    expect(texts(messagesFromEvents(closedAndResumed))).toEqual(["asked", "half of it"]);
  });

  test("H6 holds what the gates let pass and nothing that they refused", () => {
    const redacted = journal(
      started,
      gate("redact", "enforcing", "hidden"),
      gate("redact", "shadow", "shadow"),
      calling("a"),
      answered("a", "x"),
    );
    expect(texts(messagesFromEvents(redacted))).toEqual(["hidden", "x"]);
    expect(messagesFromEvents(journal(started, gate("deny", "enforcing")))).toEqual([]);
    expect(texts(messagesFromEvents(journal(started, gate("deny", "shadow"))))).toEqual(["asked"]);
    const refused = journal(started, calling("a"), answered("a", "a secret", failure("POLICY_DENIED")));
    expect(texts(messagesFromEvents(refused))).toEqual(["asked"]);
  });

  test("H5 keeps what was attached to the question", () => {
    const attachments = [{ mediaType: "image/png", sha256: "0" }];
    const events = journal({ type: "RunStarted", input: { prompt: "look", attachments } });
    expect(messagesFromEvents(events)).toEqual([{ role: "user", content: "look", attachments }]);
    const odd = journal({ type: "RunStarted", input: { prompt: "look", attachments: [{ size: 3 }] } });
    expect(messagesFromEvents(odd)).toEqual([{ role: "user", content: "look" }]);
  });
});

describe("H5 a conversation that goes on after a run", () => {
  const before: Message[] = ["1", "2", "3", "4"].map((content) => ({ role: "user", content }));

  test("is whole when the run dropped nothing", () => {
    const run = runMessages(journal(started, calling("a"), answered("a", "answer")));
    expect(texts(continued(before, run))).toEqual(["1", "2", "3", "4", "asked", "answer"]);
  });

  test("begins with the run's summary, and with what the run kept", () => {
    const run = runMessages(journal(started, trimmed(2, 0, "so far"), calling("a"), answered("a", "answer")));
    expect(texts(continued(before, run))).toEqual([expect.stringContaining("so far"), "3", "4", "asked", "answer"]);
  });

  test("keeps of the run itself what it kept, however often it trimmed", () => {
    const steps = ["a", "b", "c", "d"].flatMap((id) => [calling(id), answered(id, id)]);
    const run = runMessages(
      journal(
        started,
        ...steps,
        trimmed(1, 2),
        calling("e"),
        answered("e", "e"),
        trimmed(0, 1, "all"),
        calling("f"),
        answered("f", "f"),
      ),
    );
    expect(texts(continued(before, run))).toEqual([expect.stringContaining("all"), "asked", "e", "f"]);
  });

  test("keeps instructions that stand in it", () => {
    const history: Message[] = [{ role: "system", content: "be kind" }, ...before];
    const run = runMessages(journal(started, trimmed(1, 0)));
    expect(texts(continued(history, run))).toEqual(["be kind", "4", "asked"]);
  });

  test("never begins with the result of a call that went", () => {
    const call = { callId: "c", name: "look", arguments: {} };
    const history: Message[] = [
      { role: "user", content: "q" },
      { role: "assistant", content: "", toolCalls: [call, call] },
      result("1"),
      result("2"),
      { role: "assistant", content: "a" },
    ];
    for (const kept of [3, 2, 1]) {
      expect(texts(continued(history, runMessages(journal(started, trimmed(kept, 0)))))).toEqual(["a", "asked"]);
    }
    expect(texts(continued(history, runMessages(journal(started, trimmed(0, 0)))))).toEqual(["asked"]);
  });
});
