import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../model-server.ts";
import { Home } from "./home.ts";

let models: ModelServer;
let home: Home;
beforeAll(async () => {
  models = await startModelServer({ apiKey: "sk-loopback", models: ["workbench-model", "echo-tools"] });
  home = await Home.create();
  const folder = join(home.home, "ssot/providers/ai");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(
    join(folder, "ours.yaml"),
    `version: 1
providers:
  - id: ours
    displayName: Ours
    kind: openai-chat
    baseUrl: ${models.url}
    local: true
    auth: { scheme: bearer }
    egressHosts: ["127.0.0.1:${models.port}"]
    listsModels: true
    docs: https://models.example/docs
    models:
      - id: workbench-model
        contextTokens: 32000
        maxOutputTokens: 500
        prices: { asOf: 2026-01-01, inputPerMillion: 3, outputPerMillion: 7 }
        capabilities: { tools: true, jsonSchema: true }
      - { id: echo-tools, contextTokens: 32000, capabilities: { tools: false, vision: false, pdf: false } }
`,
  );
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await models.close();
});

const providers = (...words: string[]) => home.run(["providers", ...words]);

describe("W3 a provider by its preset", () => {
  test("W3 is added with nothing but its key, and listed with what is known of it", async () => {
    const presets = await home.ok("providers", "presets");
    for (const id of ["openai", "anthropic", "vercel", "ollama", "ours"]) expect(presets.stdout).toContain(id);
    const added = await providers("add", "--preset", "ours", "--api-key-env", "MODEL_KEY", "--json");
    expect(added.json).toMatchObject({ name: "ours", kind: "openai-chat", baseUrl: models.url, local: true });
    expect((await home.ok("providers", "test", "ours")).stdout).toContain("answers");
    const listed = (await home.ok("models", "--json")).json as { items: { ref: string; contextTokens?: number }[] };
    expect(listed.items.find(({ ref }) => ref === "ours/workbench-model")).toMatchObject({
      contextTokens: 32_000,
      maxOutputTokens: 500,
      prices: { inputPerMillion: 3, outputPerMillion: 7 },
      capabilities: { tools: true },
    });
  });

  test("W3 that is not there, lacks its key, or would show its key to another host is refused", async () => {
    const unknown = await providers("add", "--preset", "nobody", "--json");
    expect(unknown.error()).toMatchObject({ error_code: "VALIDATION_FAILED" });
    expect((await providers("add", "--preset", "openai", "--json")).error().message).toContain("wants an API key");
    const elsewhere = [
      "add",
      "--preset",
      "openai",
      "--base-url",
      "https://evil.example/v1",
      "--api-key-env",
      "MODEL_KEY",
    ];
    expect((await providers(...elsewhere, "--json")).error()).toMatchObject({ error_code: "EGRESS_BLOCKED_BY_POLICY" });
    expect((await providers("add", "--json")).error().message).toContain("--preset");
    expect((await home.ok("providers", "list")).stdout).not.toContain("api.openai.com");
  });

  test("W3 its prices count for a run, and the operator's own go before them", async () => {
    const costOf = async (): Promise<number> => {
      const client = await home.client();
      const { runId } = await client.call("runs.start", { model: "ours/workbench-model", prompt: "Say hello." });
      for await (const event of client.follow(runId)) if (event.type === "Error") throw new Error(event.error.message);
      return (await client.call("runs.get", { runId })).costMicros ?? -1;
    };
    const known = await costOf();
    expect(known).toBeGreaterThan(0);
    await home.ok(..."providers add --preset ours --api-key-env MODEL_KEY --price-in 3000 --price-out 7000".split(" "));
    expect(await costOf()).toBeGreaterThan(known * 100);
  });

  test("W3 a model that cannot do what a run needs is passed over, and its replay passes over it as well", async () => {
    const client = await home.client();
    const workbench = await client.call("workbenches.create", { name: "Plans" });
    const { runId } = await client.call("workshop.runAgent", {
      workbenchId: workbench.workbenchId,
      model: "ours/echo-tools",
      fallbacks: ["ours/workbench-model"],
      task: "List the files.",
      // The price that another test set is a thousand times a real one.
      contract: { maxCostMicros: 500_000_000 },
    });
    const events = [];
    for await (const event of client.follow(runId)) events.push(event);
    expect(events.find(({ type }) => type === "CandidatesSkipped")).toMatchObject({
      skipped: [{ modelId: "echo-tools", reason: "it cannot call tools" }],
    });
    expect(events.at(-1)?.type).toBe("Completed");
    const replay = await client.call("runs.replay", { runId });
    expect(replay.report.outcome).toBe("identical");
  });

  test("W3 no more is asked for than a model can answer", async () => {
    const client = await home.client();
    const prompt = { model: "ours/workbench-model", prompt: "Say hello.", contract: { maxTotalTokens: 5000 } };
    const { runId } = await client.call("runs.start", prompt);
    for await (const event of client.follow(runId)) if (event.type === "Error") throw new Error(event.error.message);
    expect(models.requests.at(-1)?.body).toMatch(/"max_(completion_)?tokens":500\b/);
  });
});

test("W3 a mistake in an operator's descriptions keeps the daemon from starting, with file, line and field", async () => {
  await using broken = await Home.create();
  const file = join(broken.home, "ssot/providers/ai/ours.yaml");
  await mkdir(join(broken.home, "ssot/providers/ai"), { recursive: true, mode: 0o700 });
  await writeFile(file, "version: 1\nproviders:\n  - id: openai\n    baseUrl: http://api.openai.com/v1\n");
  const result = await broken.run(["up", "--detach", "--no-open"]);
  expect(result.code).not.toBe(0);
  expect(result.stderr).toContain(`${file}:4: providers[0].baseUrl`);
});
