import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bench, budget, hasBrowser, task } from "./bench.ts";

/** The job of the product, as a person does it in a browser, from an empty home, with no network but loopback. */
describe.skipIf(!hasBrowser)("the job in a browser (needs /usr/bin/chromium)", () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.start();
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  test("P1.4 the form takes the bootstrap token, says where it lies, and refuses another one", async () => {
    await using page = await bench.browser();
    await page.goto(`${bench.url}/runs?status=error`);
    await page.getByText("$BENCHTOP_HOME/bootstrap-token").waitFor();
    await page.getByLabel("Token").fill("wrong");
    await page.keyboard.press("Enter");
    await page.getByText("This token is not valid.").waitFor();
    await page.getByLabel("Token").fill(bench.token);
    await page.keyboard.press("Enter");
    // The address that was asked for is kept.
    await page.getByText("No run matches these filters").waitFor();
    expect(page.url()).toBe(`${bench.url}/runs?status=error`);
  });

  test("S4 S5 S6 first run to published files, and back to the checkpoint", { timeout: 120_000 }, async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    expect(page.url()).toBe(`${bench.url}/`);

    await page.getByRole("button", { name: /On this machine/ }).click();
    await page.getByLabel("Base URL").fill(bench.model.url);
    await page.getByRole("button", { name: "Save and test" }).click();
    await page.getByText("Connected.").waitFor();
    await page.getByRole("button", { name: "Create a workbench" }).click();
    await page.getByRole("dialog").getByLabel("Name").fill("Budget 2027");
    await page.getByRole("button", { name: "Create", exact: true }).click();

    await page.getByText("Drop files or folders here").waitFor();
    await page.getByTestId("file-input").setInputFiles(await bench.files(budget));
    await page.getByRole("treeitem", { name: "notes.md" }).waitFor();
    await page.getByRole("group", { name: "State of this workbench" }).getByText("2 files").waitFor();
    await page.getByText("Local", { exact: true }).waitFor();

    await page.getByLabel("Task for the agent").fill(task);
    await page.keyboard.press("Enter");
    // Review opens by itself.
    const review = page.getByRole("region", { name: "Review" });
    await review.waitFor();
    await page.getByText("Done. The totals in data.csv add up now.").first().waitFor();
    await page.getByRole("button", { name: /Draft exists/ }).waitFor();
    await review.getByRole("button", { name: /data\.csv/ }).click();
    await review.getByText("1950", { exact: true }).waitFor();

    // Nothing is real yet.
    const [workbench] = (await bench.client.call("workbenches.list", {})).items;
    const published = (name: string) => readFile(join(workbench?.publishedDir ?? "", name), "utf8");
    expect(await published("data.csv")).toBe(budget["data.csv"]);

    await review.getByRole("button", { name: "Publish 2 files" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("A checkpoint of what is there now is made first.").waitFor();
    await dialog.getByRole("button", { name: "Publish" }).click();
    await dialog.getByText("Swap the files in one step").waitFor();
    await page.getByText("Checkpoint of what was there before").waitFor();
    expect(await review.count()).toBe(0);
    expect(await published("data.csv")).toContain("total,1950");
    expect(await published("summary.md")).toContain("# Summary");

    await page.getByRole("button", { name: "Restore" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Restore" }).click();
    await page.getByText("Restored", { exact: true }).waitFor();
    expect(await published("data.csv")).toBe(budget["data.csv"]);

    expect(bench.strayRequests).toEqual([]);
    expect(bench.complaints).toEqual([]);
  });

  test("H8 the run can be read afterwards, at an address that names the event", async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.getByRole("link", { name: "Runs" }).first().click();
    await page.getByRole("link", { name: new RegExp(task) }).click();
    await page.getByRole("option", { name: /ToolCallRequested edit_file/ }).click();
    await page.getByRole("region", { name: "Event" }).getByText("Arguments").waitFor();
    expect(page.url()).toMatch(/\?event=\d+/);
    await page.reload();
    await page.getByRole("region", { name: "Event" }).getByText("ToolCallRequested").waitFor();
    await page.getByRole("button", { name: /^ToolCallFinished/ }).click();
    expect(page.url()).toContain("types=");
    await page.getByRole("button", { name: "Verify journal" }).click();
    await page.getByText(/Whole and unchanged: \d+ events/).waitFor();
  });
});
