import type { EvalSuiteInput } from "@benchtop/protocol";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bench, hasBrowser, violations } from "./bench.ts";

const attack = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
const suite: EvalSuiteInput = {
  name: "capitals",
  models: ["local/gpt-5.2"],
  prompt: "repeat: {{input}}",
  evaluators: [
    { type: "exact" },
    { type: "model-graded", name: "judge", model: "local/gpt-5.2", rubric: "Says what was expected." },
  ],
  thresholds: { passRate: 0.9 },
  cases: [
    { id: "france", input: "Paris", expected: "Paris" },
    { id: "italy", input: "Milan", expected: "Rome" },
    { id: "hostile", input: attack, expected: "a city" },
  ],
};

describe.skipIf(!hasBrowser)("evaluations in the console (needs /usr/bin/chromium)", () => {
  let bench: Bench;
  let before: string;
  let after: string;
  beforeAll(async () => {
    bench = await Bench.start();
    await bench.addLocalProvider();
    before = await evaluated({ ...suite, prompt: "repeat: {{expected}}" });
    after = await evaluated(suite);
  }, 90_000);
  afterAll(() => bench[Symbol.asyncDispose]());

  async function evaluated(input: EvalSuiteInput): Promise<string> {
    const { runId } = await bench.client.call("evals.run", { suite: input });
    for await (const event of bench.client.follow(runId))
      if (event.type === "Error") throw new Error(event.error.message);
    return runId;
  }

  const questions = () => bench.model.requests.filter(({ path }) => path.endsWith("/completions")).length;

  test("H6 a person finds an evaluation, reads why a case failed, and opens the run behind it", async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.getByRole("link", { name: "Evals", exact: true }).click();
    await page.getByText("Below threshold").click();
    await page.getByText("1 of 3 answers").waitFor();
    await page
      .getByRole("group", { name: "Show" })
      .getByRole("button", { name: /Failed 2/ })
      .click();
    await page.getByRole("button", { name: /italy/ }).click();
    await page.getByText("It does not say what was expected.").waitFor();
    expect(await page.locator("figure", { hasText: "Expected" }).locator("pre").innerText()).toBe("Rome");
    expect(await page.locator("figure", { hasText: "Answer" }).locator("pre").innerText()).toBe("Milan");
    await page.keyboard.press("j");
    await page.getByText(attack).first().waitFor();
    expect(await page.title()).toBe("capitals · Benchtop");
    await page.getByRole("link", { name: "Open its run" }).click();
    await page.getByText("Verify journal").waitFor();
    expect(bench.complaints).toEqual([]);
  });

  test("H6 two evaluations are compared: what regressed is marked and can be filtered", async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.goto(`${bench.url}/evals`);
    await page.getByRole("checkbox").first().waitFor();
    for (const box of await page.getByRole("checkbox").all()) await box.check();
    await page.getByRole("button", { name: "Compare two" }).click();
    await page.getByText("2 regressed").waitFor();
    await page.getByText("The suites ask or judge differently").waitFor();
    await page.getByRole("button", { name: /Regressed 2/ }).click();
    expect(await page.getByRole("list", { name: "2 answers" }).getByRole("listitem").count()).toBe(2);
    expect(page.url()).toContain(before);
  });

  test("H6 running again asks nothing that was answered before", async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.goto(`${bench.url}/evals/${after}`);
    await page.getByRole("button", { name: "Run again" }).click();
    const asked = questions();
    await page.getByRole("dialog").getByRole("button", { name: "Run", exact: true }).click();
    await page.waitForURL((url) => !url.pathname.endsWith(after));
    await page.getByText("cost nothing this time").waitFor();
    expect(questions()).toBe(asked);
  });

  test.each([
    ["wide and light", { width: 1440 }],
    ["wide and dark", { width: 1440, dark: true }],
    ["a phone", { width: 390, height: 844 }],
  ])("H6 no rule of WCAG 2.1 AA is broken (%s)", { timeout: 90_000 }, async (_, options) => {
    await using page = await bench.browser(options);
    await bench.signIn(page);
    const found: string[] = [];
    for (const [path, shows] of [
      ["/evals", "capitals"],
      [`/evals/${after}?show=failed&against=${before}`, "regressed"],
    ] as const) {
      await page.goto(`${bench.url}${path}`);
      await page.getByText(shows).first().waitFor();
      await page.waitForLoadState("networkidle");
      found.push(...(await violations(page)));
    }
    await page.getByRole("button", { name: /italy/ }).click();
    await page.getByText("Open its run").waitFor();
    found.push(...(await violations(page)));
    expect(found).toEqual([]);
  });

  test("H6 the HTML report runs nothing that a model wrote, asks no address, and filters what failed", async () => {
    const file = await bench.client.downloadReport({ runId: after, format: "html" });
    const path = join(bench.folder, "report.html");
    await writeFile(path, new Uint8Array(await file.arrayBuffer()));
    await using page = await bench.browser();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.goto(pathToFileURL(path).href);
    await page.getByRole("button", { name: /failed 2/i }).click();
    expect(await page.locator("details:visible").count()).toBe(2);
    await page.locator("details:visible summary", { hasText: "hostile" }).click();
    await page.getByText(attack).first().waitFor();
    expect(await page.title()).toBe("capitals · evaluation");
    expect(await page.locator("main img, main script").count()).toBe(0);
    expect(asked).toEqual([pathToFileURL(path).href]);
    expect(await violations(page)).toEqual([]);
  });
});
