import { describe, expect, test } from "vitest";
import { Calibration } from "./calibration.ts";
import { Conversation } from "./conversation.ts";
import { exactCounter } from "./exact-counter.ts";
import { attachmentTokens, estimateMessageTokens, estimateTokens } from "./estimate.ts";

const model = { providerId: "p", modelId: "m" };
const base64 = (bytes: number) => Buffer.alloc(bytes).toString("base64");
const used = (inputTokens: number, more = {}) => ({ inputTokens, outputTokens: 1, ...more });

describe("H5 an estimate of tokens", () => {
  test("comes near what the provider reports after one call, and follows it from then on", () => {
    // A tokenizer that makes 1.6 tokens of what is counted as one, as for a script that it hardly knows.
    const made = new Conversation();
    made.aimAt({ ...model, extraTokens: 300 });
    const reported = () => Math.round(1.6 * (made.messages.reduce((n, m) => n + estimateMessageTokens(m), 0) + 300));
    made.addInput({ role: "user", content: "ქართული ტექსტი ".repeat(100) });
    expect(Math.abs(made.promptTokens / reported() - 1)).toBeGreaterThan(0.3);
    for (let step = 0; step < 10; step += 1) {
      made.observe(used(reported()));
      made.addAnswer({ role: "assistant", content: "კიდევ ცოტა ".repeat(step * 20) });
      expect(Math.abs(made.promptTokens / reported() - 1)).toBeLessThan(0.01);
    }
  });

  test("moves with a ratio that changes, and forgets an outlier", () => {
    const calibration = new Calibration();
    calibration.observe(model, 1000, used(1000));
    calibration.observe(model, 1000, used(2000));
    expect(calibration.ratioOf(model)).toBeCloseTo(1.3);
    for (let call = 0; call < 12; call += 1) calibration.observe(model, 1000, used(1000));
    expect(calibration.ratioOf(model)).toBeLessThan(1.01);
  });

  test("is not misled by nonsense, by estimates or by prompts of a few words", () => {
    const calibration = new Calibration();
    for (const usage of [used(0), used(5000, { estimated: true }), undefined]) calibration.observe(model, 1000, usage);
    calibration.observe(model, 20, used(500));
    expect(calibration.ratioOf(model)).toBe(1);
    calibration.observe(model, 1000, used(10_000_000));
    expect(calibration.ratioOf(model)).toBe(3);
    const starved = new Calibration();
    starved.observe(model, 1000, used(1));
    expect(starved.ratioOf(model)).toBe(0.5);
  });

  test("is each model's own, and starts where the candidate says", () => {
    const calibration = new Calibration();
    calibration.observe(model, 1000, used(2000));
    expect(calibration.ratioOf({ ...model, modelId: "other" })).toBe(1);
    expect(calibration.ratioOf({ ...model, modelId: "third", tokenRatio: 1.25 })).toBe(1.25);
  });

  test("keeps what it learned of estimates apart from what it learned of a tokenizer", () => {
    const made = new Conversation();
    const exact = { count: (text: string) => text.length, exact: true };
    made.addInput({ role: "user", content: "a word ".repeat(500) });
    made.aimAt(model);
    const estimated = made.promptTokens;
    made.observe(used(estimated * 2));
    expect(made.promptTokens).toBe(estimated * 2);
    made.aimAt(model, exact);
    expect(made.promptTokens).toBe(3504);
    made.observe(used(7008));
    expect(made.promptTokens).toBe(7008);
    made.aimAt(model);
    expect(made.promptTokens).toBe(estimated * 2);
  });

  test("learns of the model that answered, not of the one that was meant to", () => {
    const made = new Conversation();
    made.addInput({ role: "user", content: "a word ".repeat(500) });
    made.aimAt(model);
    const estimated = made.promptTokens;
    const other = { providerId: "p", modelId: "fallback" };
    made.observe(used(estimated * 2), other);
    expect(made.promptTokens).toBe(estimated);
    made.aimAt(other);
    expect(made.promptTokens).toBe(estimated * 2);
  });

  test("counts attachments by their kind and size, and what a protocol wants to see again", () => {
    expect(attachmentTokens({ mediaType: "image/png", sha256: "0" })).toBe(1600);
    expect(attachmentTokens({ mediaType: "text/plain", data: base64(4000) })).toBe(1000);
    expect(attachmentTokens({ mediaType: "application/pdf", data: base64(100) })).toBe(1500);
    expect(attachmentTokens({ mediaType: "application/pdf", data: base64(160_000) })).toBe(10_000);
    const attached = { role: "user" as const, content: "", attachments: [{ mediaType: "image/png" }] };
    expect(estimateMessageTokens(attached)).toBe(1604);
    const continuation = { protocol: "x", blocks: ["a".repeat(400)] };
    expect(estimateMessageTokens({ role: "assistant", content: "", continuation })).toBeGreaterThan(100);
  });
});

describe("H5 a public tokenizer", () => {
  // Counts of OpenAI's cookbook; in the last, what looks like a special token is counted as the text that it is.
  test.for([
    ["gpt-4", "antidisestablishmentarianism", 6],
    ["gpt-4o", "antidisestablishmentarianism", 6],
    ["gpt-3.5-turbo", "2 + 2 = 4", 7],
    ["openai/gpt-5.2", "お誕生日おめでとう", 8],
    ["gpt-4-turbo", "お誕生日おめでとう", 9],
    ["ft:gpt-4o-mini:us", "hello <|endoftext|>", 8],
  ] as const)("counts as %s does: %s", async ([modelId, text, tokens]) => {
    const counter = await exactCounter({ modelId });
    expect(counter).toMatchObject({ exact: true });
    expect(counter?.count(text)).toBe(tokens);
  });

  test.for(["claude-opus-4-6", "llama3.2", "mistral-large", "gpt", "o", "gpt2", "qwen/qwen3", ""])(
    "is not known of %s",
    async (modelId) => {
      expect(await exactCounter({ modelId })).toBeUndefined();
    },
  );

  test("takes little time for text without spaces, and hardly more tokens", async () => {
    const counter = await exactCounter({ modelId: "gpt-4o" });
    const noise = Array.from({ length: 100_000 }, (_, place) =>
      ((place * 7919 + place * place) % 36).toString(36),
    ).join("");
    const tokens = counter?.count(noise) ?? 0;
    const again = counter?.count(`${noise.slice(0, 399)} `) ?? 0;
    expect(tokens / 100_000 / (again / 400)).toBeGreaterThan(0.8);
    expect(tokens / 100_000 / (again / 400)).toBeLessThan(1.2);
    expect(counter?.count("的".repeat(50_000))).toBeGreaterThan(10_000);
  });

  test("decides near the limit, where an estimate would be wrong", async () => {
    const text = "0123456789 ".repeat(300);
    const counter = await exactCounter({ modelId: "gpt-4o" });
    expect(counter?.count(text)).toBeGreaterThan(estimateTokens(text) * 1.1);
  });
});
