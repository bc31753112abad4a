import { describe, expect, test } from "vitest";
import { ends, says, scriptedProvider, used } from "../../test/scripted-provider.ts";
import { agentUnderTest, eventOf, finished, startAgent } from "../../test/started-runs.ts";
import { replayRun } from "../replay/replay-run.ts";

const output = {
  name: "city",
  schema: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false,
  },
};

describe("H3 an answer as data", () => {
  test.for<[string, string]>([
    ["plain JSON", '{"city": "Bern"}'],
    ["JSON in a code fence", '```json\n{"city": "Bern"}\n```'],
    ["JSON in a fence without a language", '\n```\n{"city": "Bern"}```\n'],
  ])("is the run's result when it is %s", async ([, text]) => {
    const provider = scriptedProvider([says(text), ends()]);
    const { events, result } = await finished(await startAgent({ provider, output }));
    expect(result).toMatchObject({ status: "success", output: text, result: { city: "Bern" } });
    expect(eventOf(events, "Completed").result).toEqual({ city: "Bern" });
    expect(provider.requests[0]?.output).toEqual(output);
    expect(await replayRun(events, agentUnderTest({ provider: scriptedProvider(), output }))).toMatchObject({
      outcome: "identical",
    });
  });

  test.for<[string, string, string]>([
    ["is no JSON", "Bern, I think.", "not JSON"],
    ["lacks a member", "{}", "required property 'city'"],
    ["has one too many", '{"city": "Bern", "x": 1}', "additional properties (x)"],
    ["stands in the middle of prose", 'Here: {"city": "Bern"}', "not JSON"],
  ])("that %s is corrected once, and the model is told what is wrong", async ([, wrong, told]) => {
    const provider = scriptedProvider(
      [says(wrong), used(1, 1), ends()],
      [says('{"city": "Bern"}'), used(1, 1), ends()],
    );
    const { events, result } = await finished(await startAgent({ provider, output }));
    expect(result).toMatchObject({ status: "success", result: { city: "Bern" } });
    expect(eventOf(events, "HintInjected").text).toContain(told);
    expect(provider.requests[1]?.messages.at(-1)).toMatchObject({
      role: "user",
      content: expect.stringContaining(told),
    });
  });

  test("that is still wrong after that ends the run, also when a hint waits, and replays so", async () => {
    const provider = scriptedProvider([says("Perhaps Bern."), used(1, 1), ends()]);
    const handle = await startAgent({ provider, output });
    for await (const event of handle) if (event.type === "HintInjected") handle.control.inject("Please.");
    const { events, result } = await finished(handle);
    expect(result.error?.info).toMatchObject({ error_code: "VALIDATION_FAILED", subphase: "output" });
    expect(result.error?.message).not.toContain("Perhaps");
    const again = agentUnderTest({ provider: scriptedProvider(), output });
    expect(await replayRun(events, again)).toMatchObject({ outcome: "identical" });
  });
});
