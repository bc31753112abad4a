import { describe, expect, test } from "vitest";
import { calls, ends, says, scriptedProvider, used } from "../../test/scripted-provider.ts";
import { eventOf, finished, startAgent, typesOf } from "../../test/started-runs.ts";
import { messagesFromEvents } from "../context/from-events.ts";
import type { Tool } from "../tools/tool.ts";
import { deny, redact, type Gate, type Verdict } from "./gate.ts";
import { modelGraded } from "./model-graded.ts";
import { secretsGate } from "./text-gate.ts";
import { toolRules } from "./tool-rules.ts";

const key = ["AKIA", "QWERTYUIOP234567"].join("");
const marked = "[redacted: aws-access-key]";

function tool(name: string, content: string): Tool & { readonly inputs: unknown[] } {
  const inputs: unknown[] = [];
  return {
    name,
    description: name,
    inputSchema: { type: "object" },
    effects: "external",
    idempotent: false,
    inputs,
    async execute(input) {
      inputs.push(input);
      return { content };
    },
  };
}

const outputGate = (verdict: Verdict, mode: Gate["mode"] = "enforcing"): Gate => ({
  name: "output",
  points: ["output"],
  mode,
  check: async () => verdict,
});

describe("H6 a run with gates", () => {
  test("sends the model the input as the gates left it, and later turns the same", async () => {
    const provider = scriptedProvider([says("Done."), used(1, 1), ends()]);
    const { events, result } = await finished(
      await startAgent({
        provider,
        input: `use ${key}`,
        gates: [secretsGate({ mode: "enforcing", points: ["input"] })],
      }),
    );
    expect(result.status).toBe("success");
    expect(provider.requests[0]?.messages.at(-1)).toMatchObject({ content: `use ${marked}` });
    expect(JSON.stringify(messagesFromEvents(events))).not.toContain(key);
  });

  test("whose input is refused asks no model", async () => {
    const provider = scriptedProvider([says("Done."), ends()]);
    const gates = [secretsGate({ mode: "enforcing", action: "deny" })];
    const { result } = await finished(await startAgent({ provider, input: `use ${key}`, gates }));
    expect(result.error?.info).toMatchObject({
      error_code: "POLICY_DENIED",
      detail: { gate: "secrets", point: "input" },
    });
    expect(provider.requests).toEqual([]);
  });

  test("tells the model of a call that was refused, and does not make it", async () => {
    const send = tool("send", "sent");
    const provider = scriptedProvider([calls("send", { to: "x" }), ends()], [says("I could not."), ends()]);
    const gates = [toolRules({ mode: "enforcing", deny: [{ tool: "send" }] })];
    const { events, result } = await finished(await startAgent({ provider, tools: [send], gates }));
    expect(send.inputs).toEqual([]);
    expect(eventOf(events, "ToolCallFinished")).toMatchObject({ outcome: "denied" });
    expect(provider.requests[1]?.messages.at(-1)).toMatchObject({ role: "tool", isError: true });
    expect(result.output).toBe("I could not.");
  });

  test("tells the model what a tool said as the gates left it", async () => {
    const provider = scriptedProvider([calls("read", {}), ends()], [says("Read."), ends()]);
    const gates = [secretsGate({ mode: "enforcing", points: ["tool-result"] })];
    await finished(await startAgent({ provider, tools: [tool("read", `it is ${key}`)], gates }));
    expect(provider.requests[1]?.messages.at(-1)).toMatchObject({ role: "tool", content: `it is ${marked}` });
  });

  test("shows nothing of an answer before an enforcing gate has decided", async () => {
    const provider = scriptedProvider([says("Hel"), says("lo"), ends()]);
    const { events } = await finished(await startAgent({ provider, gates: [outputGate({ decision: "allow" })] }));
    expect(typesOf(events)).toEqual([
      "RunStarted",
      "StepStarted",
      "ProviderCallStarted",
      "GateDecided",
      "OutputDelta",
      "ProviderCallFinished",
      "StepFinished",
      "Completed",
    ]);
  });

  test("never shows an answer that was refused, nor what was thought", async () => {
    const said = "the words that nobody may see";
    const provider = scriptedProvider([{ type: "reasoning", text: said }, says(said), used(1, 7), ends()]);
    const { events, result } = await finished(await startAgent({ provider, gates: [outputGate(deny("Not this."))] }));
    expect(JSON.stringify(events)).not.toContain("nobody may see");
    expect(result.error?.code).toBe("POLICY_DENIED");
    expect(result.totals.usage.outputTokens).toBe(7);
  });

  test("shows what a redaction left of an answer, and drops what would say the same again", async () => {
    const provider = scriptedProvider([
      { type: "reasoning", text: `It is ${key}.` },
      says(`Use ${key}.`),
      { type: "continuation", continuation: { protocol: "x", blocks: [key] } },
      ends(),
    ]);
    const gates = [secretsGate({ mode: "enforcing", points: ["output"] })];
    const { events, result } = await finished(await startAgent({ provider, gates }));
    expect(result.output).toBe(`Use ${marked}.`);
    expect(JSON.stringify(events)).not.toContain(key);
  });

  test("drops what was only thought, too", async () => {
    const provider = scriptedProvider([{ type: "reasoning", text: `It is ${key}.` }, says("Done."), ends()]);
    const gates = [secretsGate({ mode: "enforcing", points: ["output"] })];
    const { events, result } = await finished(await startAgent({ provider, gates }));
    expect(result.output).toBe("Done.");
    expect(JSON.stringify(events)).not.toContain(key);
  });

  test("leaves nothing of an answer that broke off while it was held back", async () => {
    const provider = scriptedProvider([says("the words"), { type: "throw", error: new Error("broken") }]);
    const { events, result } = await finished(
      await startAgent({ provider, gates: [outputGate({ decision: "allow" })] }),
    );
    expect(result.status).toBe("error");
    expect(JSON.stringify(events)).not.toContain("the words");
  });

  test("streams as ever with gates in shadow mode", async () => {
    const provider = scriptedProvider([says("Hello"), ends()]);
    const gates = [outputGate(redact("x", ["word"]), "shadow")];
    const { events, result } = await finished(await startAgent({ provider, gates }));
    expect(result.output).toBe("Hello");
    const types = typesOf(events);
    expect(types.indexOf("OutputDelta")).toBeLessThan(types.indexOf("GateDecided"));
    expect(eventOf(events, "GateDecided")).toMatchObject({ mode: "shadow", decision: "redact", findings: ["word"] });
  });

  test("asks a model for a verdict in a call of its own, on the run's budget", async () => {
    const provider = scriptedProvider(
      [says('{"verdict":"allow"}'), used(10, 1), ends()],
      [says("Hello"), used(10, 1), ends()],
    );
    const gates = [modelGraded({ mode: "enforcing", name: "advice", points: ["input"], forbids: "medical advice" })];
    const { events, result } = await finished(await startAgent({ provider, gates }));
    expect(result).toMatchObject({ output: "Hello", totals: { usage: { inputTokens: 20 } } });
    const [first, second] = events.filter((event) => event.type === "ProviderCallStarted");
    expect([first?.purpose, second?.purpose]).toEqual(["gate", undefined]);
    expect(JSON.stringify(messagesFromEvents(events))).not.toContain("verdict");
  });

  test("does not pass a gate that cannot ask its model", async () => {
    const provider = scriptedProvider([{ type: "throw", error: new Error("broken") }]);
    const gates = [modelGraded({ mode: "enforcing", name: "advice", points: ["input"], forbids: "medical advice" })];
    const { events, result } = await finished(await startAgent({ provider, gates }));
    expect(result.error?.code).toBe("POLICY_DENIED");
    expect(eventOf(events, "GateDecided").error).toBeDefined();
  });
});
