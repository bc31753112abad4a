import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bench, budget, hasBrowser, violations } from "./bench.ts";

/** What agents remember, as a person turns it on, reads it and takes it away. */
describe.skipIf(!hasBrowser)("memory in a browser (needs /usr/bin/chromium)", () => {
  let bench: Bench;
  let workbenchId: string;
  beforeAll(async () => {
    bench = await Bench.start();
    await bench.addLocalProvider();
    workbenchId = await bench.workbench("Household", budget);
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  test("H5 a person turns memory on, sees what is remembered, and forgets it", { timeout: 90_000 }, async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.goto(`${bench.url}/workbenches/${workbenchId}`);
    const show = async () => {
      await page.getByRole("button", { name: "More about this workbench" }).click();
      await page.getByRole("menuitem", { name: "What its agents remember…" }).click();
    };
    await show();
    await page.getByText("Nothing is remembered.").waitFor();
    await page.getByRole("button", { name: "Turn memory on" }).click();
    await page.getByRole("button", { name: "Turn memory off" }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole("button", { name: "Close" }).last().click();

    await bench.ask(workbenchId, "remember that the rent is due on Monday");
    await bench.ask(workbenchId, "remember that Anna pays the power");
    await page.reload();
    await page.getByText("Remembered for this workbench.").first().waitFor();
    await show();
    await page
      .getByRole("list", { name: /What is remembered/ })
      .getByText("the rent is due on Monday")
      .waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole("button", { name: "Forget “the rent is due on Monday”" }).click();
    const texts = async () => (await bench.client.call("memory.list", { workbenchId })).items.map(({ text }) => text);
    await expect.poll(texts, { timeout: 20_000 }).toEqual(["Anna pays the power"]);
    await page.getByRole("button", { name: "Forget everything…" }).click();
    await page.getByRole("button", { name: "Forget everything for good" }).click();
    await page.getByText("Nothing is remembered.").waitFor();
    expect(await texts()).toEqual([]);
    expect(bench.complaints).toEqual([]);
  });
});
