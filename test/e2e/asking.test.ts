import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isOurProcess } from "../../apps/cli/src/daemon/find.ts";
import { startModelServer, type ModelServer } from "../model-server.ts";
import { finished, Home, prints } from "./home.ts";

/** What can be said with a prompt: models to fall back to, files to look at, the form of the answer. */

const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  "base64",
);
const schema = { type: "object", properties: { sum: { type: "integer" } }, required: ["sum"] };
/** Asks for JSON of the schema in a file. */
function asJson(prompt: string, file: string): string[] {
  return ["run", prompt, "--output-schema", file, "--model", "local/gpt-5.2"];
}

let home: Home;
let server: ModelServer;
beforeAll(async () => {
  home = await Home.create();
  server = await startModelServer({ apiKey: "sk-loopback" });
  await home.addProvider(server.url);
  const url = "https://models.example/v1";
  await home.ok("providers", "add", "remote", "--kind", "openai-chat", "--base-url", url, "--api-key-env", "MODEL_KEY");
  await home.write({
    "picture.png": png,
    "archive.zip": Buffer.from([0x50, 0x4b, 3, 4, 0, 0]),
    "sum.json": JSON.stringify(schema),
    "misspelt.json": JSON.stringify({ type: "object", requierd: ["sum"] }),
    "list.json": "[]",
  });
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await server.close();
});

describe("H4 fallbacks", () => {
  test("the next model is asked when the first fails, and the person sees which", async () => {
    const fallback = ["--fallback", "local/not-there", "--fallback", "local/gpt-5.2"];
    const { stdout, stderr } = await home.ok("run", "hello", "--model", "local/too-long", ...fallback);
    expect(stdout).toContain("You asked: hello");
    expect(stderr).toContain("Asking local/not-there instead.");
    expect(stderr).toContain("Asking local/gpt-5.2 instead.");
  });

  test("an agent falls back, too, and its Draft is what the second model made of it", async () => {
    await home.write({ "notes.md": "# Notes\n" });
    await home.ok("workbench", "create", "budget", "--add", "notes.md");
    const models = ["--model", "local/too-long", "--fallback", "local/gpt-5.2"];
    const { stderr } = await home.ok("ask", "budget", "add a summary.md", ...models);
    expect(stderr).toContain("Asking local/gpt-5.2 instead.");
    expect((await home.ok("draft", "status", "budget", "--json")).json).toMatchObject({ draft: { exists: true } });
  });

  test("S7 one that nobody agreed to is passed over, said once, and sent nothing", async () => {
    const models = ["--model", "local/too-long", "--fallback", "remote/large", "--fallback", "local/gpt-5.2"];
    const { stderr } = await home.ok("run", "hello", ...models);
    const passedOver = "remote/large is passed over: nobody agreed to send this to models.example.";
    expect(stderr.split(passedOver)).toHaveLength(2);
    const events = await home.ok("egress", "--json");
    expect(JSON.stringify(events.json)).not.toContain("models.example");
  });

  test("a run that fell back goes on with the model that answered after a kill −9", async () => {
    const models = ["--model", "local/too-long", "--fallback", "local/slow", "--run-id", "fell-back"];
    const child = home.start(["run", "count to 100", ...models, "--json"]);
    const ended = finished(child);
    await prints(child, /"OutputDelta"[\s\S]*"OutputDelta"/);
    const { url, pid } = (await home.ok("up", "--json", "--detach")).json as { url: string; pid: number };
    process.kill(pid, "SIGKILL");
    await expect.poll(() => isOurProcess(pid), { timeout: 20_000 }).toBe(false);
    await home.ok("up", "--detach", "--json", "--port", new URL(url).port);

    const result = await ended;
    expect(result.code).toBe(0);
    const calls = result.events().filter((event) => event.type === "ProviderCallStarted");
    expect(calls.map(({ modelId }) => modelId)).toEqual(["too-long", "slow", "slow"]);
    expect(result.events().at(-1)).toMatchObject({ type: "Completed", output: expect.stringMatching(/^1 2 .* 100$/) });
    const replayed = await home.ok("runs", "replay", "fell-back", "--json");
    expect(replayed.json).toMatchObject({ report: { outcome: "identical" } });
  });

  test("a model that is named twice is refused", async () => {
    const refused = await home.run(["run", "hi", "--model", "local/a", "--fallback", "local/a", "--json"]);
    expect([refused.code, refused.error().error_code]).toEqual([2, "VALIDATION_FAILED"]);
  });
});

describe("attachments", () => {
  test("a picture goes to the model with the prompt, and is not in the journal", async () => {
    const run = await home.ok(
      "run",
      "what is on this?",
      "--attach",
      "picture.png",
      "--model",
      "local/gpt-5.2",
      "--json",
    );
    expect(run.events()[0]).toMatchObject({
      input: { attachments: [{ name: "picture.png", mediaType: "image/png" }] },
    });
    expect(server.requests.at(-1)?.body).toContain(png.toString("base64"));
    expect(run.stdout).not.toContain(png.toString("base64"));
  });

  test("what no model reads is refused by name, and so is what is not there", async () => {
    const asked = server.requests.length;
    const refused = await home.run(["run", "unpack", "--attach", "archive.zip", "--model", "local/gpt-5.2"]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('"archive.zip" cannot be attached');
    const missing = await home.run(["run", "x", "--attach", "gone.png", "--model", "local/gpt-5.2", "--json"]);
    expect([missing.code, missing.error().error_code]).toEqual([1, "FILE_READ_FAILED"]);
    expect(server.requests).toHaveLength(asked);
  });
});

describe("structured output", () => {
  test("prints the JSON that was asked for, and nothing else", async () => {
    expect((await home.ok(...asJson('repeat: {"sum":3}', "sum.json"))).json).toEqual({ sum: 3 });
  });

  test("a model that cannot give it is a failure of the model (exit 3)", async () => {
    const failed = await home.run(asJson("repeat: no idea", "sum.json"));
    expect(failed.code).toBe(3);
    expect(failed.stdout).toBe("");
    expect(failed.stderr).toContain('does not match the schema "sum"');
  });

  test("a schema that is not strict is refused before anybody is asked (exit 2)", async () => {
    const asked = server.requests.length;
    const misspelt = await home.run(asJson("x", "misspelt.json"));
    expect([misspelt.code, misspelt.stderr.includes("requierd")]).toEqual([2, true]);
    expect((await home.run(asJson("x", "list.json"))).code).toBe(2);
    expect((await home.run(asJson("x", "gone.json"))).code).toBe(1);
    expect(server.requests).toHaveLength(asked);
  });
});
