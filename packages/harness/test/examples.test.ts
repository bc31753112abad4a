import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadSuite } from "../src/evals/index.ts";

/** Runs an example as a person would, with no model in its environment. */
function runExample(name: string, ...flags: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { OPENAI_API_KEY: _, OPENAI_BASE_URL: __, MODEL: ___, ...env } = process.env;
  const file = join(import.meta.dirname, "../../../examples", name);
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [file, ...flags], { env }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

describe("HX the examples", () => {
  test("first-response prints an answer and its times", async () => {
    const { code, stdout } = await runExample("first-response.ts", "--loopback");
    expect(stdout).toMatch(
      /^A workbench is a table for making things\.\nsuccess: first token after [\d.]+ ms, \d+ tokens\n$/,
    );
    expect(code).toBe(0);
  });

  test("multi-turn-abort cancels an answer and goes on", async () => {
    const { code, stdout } = await runExample("multi-turn-abort.ts", "--loopback");
    expect(stdout).toContain("1 2 3 4 ");
    expect(stdout).toContain("(USER_CANCELED: The run was canceled: that is enough)");
    expect(stdout).not.toContain(" 500 ");
    expect(stdout).toContain("You are Ada, and I was counting.");
    expect(code).toBe(0);
  });

  test("one-tool shows a refused and an accepted call", async () => {
    const { code, stdout } = await runExample("one-tool.ts", "--loopback");
    expect(stdout).toContain("← error: The arguments do not match the tool's input schema.");
    expect(stdout).toContain("← success: 1234.5");
    expect(stdout).toContain("Together that is 1234.5.\n3 steps, 2 tool calls");
    expect(code).toBe(0);
  });

  test("H5 remember finds in one session what was kept in another", async () => {
    const { code, stdout } = await runExample("remember.ts", "--loopback");
    expect(stdout).toContain("(kept, 11 tokens)\nI will remember that.");
    expect(stdout).toContain("(remembered: Ada's favourite tea is a green one, Sencha.)\nSencha, a green tea.");
    expect(code).toBe(0);
  });

  test("H4 retry asks again, and then the next model of the plan", async () => {
    const { code, stdout } = await runExample("retry.ts", "--loopback");
    expect(stdout).toContain(
      "PROVIDER_UNAVAILABLE: retry, broken is next\nasking broken, attempt 2\n  no answer for 3000 ms",
    );
    expect(stdout).toContain("fallback, loopback is next");
    expect(stdout).toContain("A workbench is a table for making things.");
    expect(code).toBe(0);
  });

  test("H6 gates watches, redacts, and asks a person", async () => {
    const { code, stdout } = await runExample("gates.ts", "--loopback");
    expect(stdout).toContain("personal-data (shadow) at input: redact\nsecrets (enforcing) at input: redact");
    expect(stdout).toContain("approval (enforcing) at tool-call: ask");
    expect(stdout).toContain("! no\nsend_mail: denied");
    expect(stdout).toContain("I was not allowed to send it.");
    expect(code).toBe(0);
  });

  test("H7 replay-and-undo replays a run in another process, and takes it back", async () => {
    const { code, stdout } = await runExample("replay-and-undo.ts", "--loopback");
    expect(stdout).toContain("It is noted. [ 'shopping' ]\nreplayed: identical");
    expect(stdout).toContain("the request to the model is another (its instructions)");
    expect(stdout).toMatch(/Taken back: 1\..* \[\]\n$/);
    expect(code).toBe(0);
  });

  test("H7 agents plans, executes and judges until it is accepted", async () => {
    const { code, stdout } = await runExample("agents.ts", "--loopback");
    expect(stdout).toContain("planner 2");
    expect(stdout).toContain("A cup of tea\nfor you and me.\n7 runs");
    expect(code).toBe(0);
  });

  test("H6 evaluate judges the answers of a model and says whether the suite passed", async () => {
    const { code, stdout } = await runExample("evaluate.ts", "--loopback");
    expect(stdout).toContain("2/3 passed product: That is 144.\n3/3 failed power: I would say about 3000.");
    expect(stdout).toContain("2 of 3 passed: passed");
    expect(code).toBe(0);
  });

  test.for(["capitals.yaml", "support-answers.yaml"])("H6 the example suite %s can be run", async (name) => {
    const suite = await loadSuite(join(import.meta.dirname, "../../../examples/evals", name));
    expect(suite.cases.length).toBeGreaterThan(1);
  });

  test.for(readdirSync(join(import.meta.dirname, "../../../examples")).filter((name) => name.endsWith(".ts")))(
    "%s says what to set when no model is",
    async (name) => {
      const { code, stderr } = await runExample(name);
      expect(stderr).toContain("OPENAI_API_KEY=");
      expect(stderr).toContain("--loopback");
      expect(code).toBe(2);
    },
  );
});
