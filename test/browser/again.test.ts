import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bench, budget, hasBrowser, violations } from "./bench.ts";

/** Where pictures go, for whoever wants to look at the screens: `SCREENSHOTS=/some/folder`. */
const pictures = process.env["SCREENSHOTS"];

/** What waits for a person, and what can be done with a run that has been. */
describe.skipIf(!hasBrowser)("approvals, replay, fork and undo in a browser (needs /usr/bin/chromium)", () => {
  let bench: Bench;
  let workbenchId: string;
  beforeAll(async () => {
    const gates = [{ policy: "approval", mode: "enforcing", options: { tools: [{ tool: "delete_file" }] } }];
    bench = await Bench.start({
      prepare: async (home) => {
        await mkdir(home, { mode: 0o700 });
        await writeFile(join(home, "config.json"), JSON.stringify({ gates }));
      },
    });
    await bench.addLocalProvider();
    workbenchId = await bench.workbench("Household", budget);
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  test(
    "H6 a run that asks is found in the inbox, and goes on when a person approves",
    { timeout: 90_000 },
    async () => {
      const { runId } = await bench.client.call("workshop.runAgent", {
        workbenchId,
        task: "delete notes.md",
        model: "local/gpt-5.2",
      });
      await waits(runId);
      await using page = await bench.browser();
      await bench.signIn(page);
      await page.getByRole("link", { name: "Approvals" }).first().click();
      const card = page.getByRole("region", { name: "Decision about delete_file" });
      await card.getByText("notes.md").first().waitFor();
      await picture(page, "approvals");
      expect(await violations(page)).toEqual([]);

      await page.goto(`${bench.url}/workbenches/${workbenchId}`);
      await page.getByRole("region", { name: "Decision about delete_file" }).waitFor();
      await picture(page, "conversation-waits");
      expect(await violations(page)).toEqual([]);
      await page.getByLabel("A word to the model (optional)").fill("go ahead");
      await page.getByRole("button", { name: "Approve" }).click();
      await page.getByText("You approved").waitFor();
      await page
        .getByText(/deleted in Draft/)
        .first()
        .waitFor();
      expect((await bench.client.call("runs.get", { runId })).suspension).toBeNull();
      await page.goto(`${bench.url}/approvals`);
      await page.getByText("Nothing waits for you").waitFor();
      await picture(page, "approvals-empty");
      await bench.client.call("draft.discard", { workbenchId });
    },
  );

  test("H7 a run is replayed, taken back from an event on, and forked", { timeout: 120_000 }, async () => {
    const runId = await bench.ask(workbenchId, "add a summary.md");
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.goto(`${bench.url}/runs/${runId}`);
    await page.getByRole("button", { name: "Replay, fork or undo this run" }).click();
    await picture(page, "run-menu");
    await page.getByRole("menuitem", { name: "Replay" }).click();
    await page.getByRole("button", { name: "Replay", exact: true }).click();
    await page.getByText("Identical.").waitFor();
    await picture(page, "replayed");
    expect(await violations(page)).toEqual([]);
    await page.getByRole("button", { name: "Close" }).last().click();

    await page.goto(`${bench.url}/runs/${runId}?event=1`);
    await picture(page, "event-actions");
    await page.getByRole("button", { name: "Undo after this" }).click();
    await picture(page, "undo");
    await page.getByRole("button", { name: "Undo", exact: true }).click();
    await page.getByText("Undo of").waitFor();
    await page.getByRole("button", { name: /Compensated/ }).waitFor();
    await expect
      .poll(async () => (await bench.client.call("draft.getState", { workbenchId })).exists, { timeout: 10_000 })
      .toBe(false);

    await page.goto(`${bench.url}/runs/${runId}?event=1`);
    await page.getByRole("button", { name: "Fork from here" }).click();
    await page.getByLabel("Ask something else in place of the task (optional)").fill("add a plan.md");
    await picture(page, "fork");
    expect(await violations(page)).toEqual([]);
    await page.getByRole("button", { name: "Fork", exact: true }).click();
    await page.waitForURL((url) => !url.pathname.endsWith(runId));
    const forked = page.url().split("/").at(-1)?.split("?")[0] ?? "";
    await expect
      .poll(async () => (await bench.client.call("runs.get", { runId: forked })).status, { timeout: 20_000 })
      .toBe("success");
    expect((await bench.client.call("runs.get", { runId: forked })).parentRunId).toBe(runId);
    await picture(page, "forked");
    expect(bench.complaints).toEqual([]);
    expect(bench.strayRequests).toEqual([]);
  });

  test("the inbox fits a phone, in the dark", { timeout: 60_000 }, async () => {
    const { runId } = await bench.client.call("workshop.runAgent", {
      workbenchId,
      task: "delete data.csv",
      model: "local/gpt-5.2",
    });
    await waits(runId);
    await using page = await bench.browser({ dark: true, width: 390, height: 844 });
    await bench.signIn(page);
    await page.goto(`${bench.url}/approvals`);
    await page.getByRole("button", { name: "Deny" }).waitFor();
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390);
    await picture(page, "approvals-phone");
    expect(await violations(page)).toEqual([]);
    await page.goto(`${bench.url}/runs/${runId}`);
    await page.getByRole("region", { name: "Decision about delete_file" }).waitFor();
    await picture(page, "run-waits-phone");
    await page.getByRole("button", { name: "Deny" }).click();
    await expect
      .poll(async () => (await bench.client.call("runs.get", { runId })).status, { timeout: 20_000 })
      .toBe("success");
  });

  async function waits(runId: string): Promise<void> {
    await expect
      .poll(async () => (await bench.client.call("runs.get", { runId })).suspension, { timeout: 20_000 })
      .not.toBeNull();
  }
});

async function picture(page: Page, name: string): Promise<void> {
  if (pictures !== undefined) await page.screenshot({ path: join(pictures, `${name}.png`) });
}
