import { describe, expect, test } from "vitest";
import { calls, ends, says, scriptedProvider } from "../../test/scripted-provider.ts";
import { eventOf, finished } from "../../test/started-runs.ts";
import { Harness } from "./harness.ts";

describe("H1 a harness", () => {
  test("runs a prompt on the model that its session names", async () => {
    const provider = scriptedProvider([says("Hello!"), ends()]);
    const session = Harness.builder()
      .provider(provider)
      .build()
      .session({ model: "scripted/small/v1", instructions: "Be kind." });
    const { events, result } = await finished(await session.run("Hi").start());
    expect(result.output).toBe("Hello!");
    expect(provider.requests[0]).toMatchObject({
      modelId: "small/v1",
      messages: [
        { role: "system", content: "Be kind." },
        { role: "user", content: "Hi" },
      ],
    });
    expect(eventOf(events, "RunStarted")).toMatchObject({
      model: "scripted/small/v1",
      sessionId: session.id,
      kind: "prompt",
    });
  });

  test("shares history between the runs of a session, one run at a time", async () => {
    const provider = scriptedProvider([says("One."), ends()], [says("Two."), ends()], [says("Three."), ends()]);
    const session = Harness.builder().provider(provider).build().session({ model: "scripted/m" });
    const handles = await Promise.all(["1", "2", "3"].map((input) => session.run(input).start()));
    await Promise.all(handles.map(finished));
    expect(provider.requests.at(-1)?.messages.map((message) => message.content)).toEqual([
      "1",
      "One.",
      "2",
      "Two.",
      "3",
    ]);
    expect((await finished(handles[2] ?? never())).result.totals.queuedMs).toBeGreaterThan(0);
  });

  test("goes on after a run that was canceled, with what it had said", async () => {
    const provider = scriptedProvider([says("I was about to"), { type: "hang" }], [says("Sure."), ends()]);
    const session = Harness.builder().provider(provider).build().session({ model: "scripted/m" });
    const first = await session.run("Tell me").start();
    for await (const event of first) if (event.type === "OutputDelta") first.control.abort();
    await finished(await session.run("Go on").start());
    expect(provider.requests[1]?.messages.map((message) => message.content)).toEqual([
      "Tell me",
      "I was about to",
      "Go on",
    ]);
  });

  test("gives the ceilings of the run before those of the session and the harness", async () => {
    const harness = Harness.builder()
      .provider(scriptedProvider([says("x"), ends()]))
      .contract({ maxSteps: 9, maxTotalTokens: 900 })
      .build();
    const session = harness.session({ model: "scripted/m", contract: { maxSteps: 5 } });
    const { events } = await finished(await session.run("x").contract({ maxSteps: 2 }).start());
    expect(eventOf(events, "RunStarted").contract).toMatchObject({ maxSteps: 2, maxTotalTokens: 900 });
  });

  test("uses its tools, and says that such a run is an agent's", async () => {
    const provider = scriptedProvider([calls("time", {}), ends()], [says("Noon."), ends()]);
    const time = {
      name: "time",
      description: "Tells the time.",
      inputSchema: { type: "object" },
      effects: "none" as const,
      idempotent: true,
      execute: async () => ({ content: "12:00" }),
    };
    const session = Harness.builder().provider(provider).tools([time]).build().session({ model: "scripted/m" });
    const { events, result } = await finished(await session.run("When?").start());
    expect(eventOf(events, "RunStarted").kind).toBe("agent");
    expect(result.output).toBe("Noon.");
  });

  test("refuses a model of no provider, a name that is none, and an id that is taken", async () => {
    const harness = Harness.builder()
      .provider(scriptedProvider([ends()]))
      .build();
    expect(() => harness.session({ model: "other/m" })).toThrow(
      expect.objectContaining({ code: "PROVIDER_NOT_CONFIGURED" }),
    );
    expect(() => harness.session({ model: "model" })).toThrow(expect.objectContaining({ code: "VALIDATION_FAILED" }));
    const session = harness.session({ model: { candidates: [{ providerId: "scripted", modelId: "m" }] } });
    await session.run("x").id("mine").start();
    await expect(session.run("x").id("mine").start()).rejects.toMatchObject({ code: "RUN_REPLAYED" });
    await finished(await session.run("still works").start());
  });
});

function never(): never {
  throw new Error("unreachable");
}
