import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { FailureReport } from "@benchtop/operations";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bench, budget, hasBrowser, violations } from "./bench.ts";

/** What went wrong is listed in the settings, and its reports can be handed on. */
describe.skipIf(!hasBrowser)("what went wrong, in a browser (needs /usr/bin/chromium)", () => {
  const asked = "PLANTED the merger on the ninth";
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.start();
    await bench.addLocalProvider();
    await bench.client.call("providers.add", {
      name: "elsewhere",
      kind: "openai-chat",
      baseUrl: "https://models.example/v1",
      apiKey: "sk-any",
    });
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  async function fails(workbenchId: string, model: string): Promise<string> {
    const { runId } = await bench.client.call("workshop.sendUserMessage", { workbenchId, message: asked, model });
    for await (const _ of bench.client.follow(runId));
    return runId;
  }

  /** A file whose content is gone from the disk cannot be read: an operation that fails by itself. */
  async function damaged(name: string): Promise<() => Promise<void>> {
    const text = `${name}: what nobody can read\n`;
    const workbenchId = await bench.workbench(name, { "lost.txt": text });
    const [file] = (await bench.client.call("files.list", { workbenchId })).items;
    const sha256 = file?.sha256 ?? "";
    await rm(join(bench.folder, "home", "blobs", sha256.slice(0, 2), sha256));
    return async () => {
      const read = bench.client.download({ workbenchId, path: "lost.txt" }).then((each) => each.arrayBuffer());
      await expect(read).rejects.toMatchObject({ code: "FILE_READ_FAILED" });
    };
  }

  async function open(page: Page): Promise<void> {
    await page.goto(`${bench.url}/settings?section=failures`);
    await page.getByRole("heading", { name: "What went wrong" }).waitFor();
  }

  test(
    "S11 a refused consent is listed with its code, run, workbench and model, and its report can be taken along",
    { timeout: 90_000 },
    async () => {
      await using page = await bench.browser();
      await bench.signIn(page);
      await open(page);
      await page.getByText("Nothing went wrong", { exact: true }).waitFor();
      expect(await violations(page)).toEqual([]);

      const books = await bench.workbench("Books", budget);
      const runId = await fails(books, "elsewhere/gpt-5.2");
      await fails(await bench.workbench("Letters", budget), "local/too-long");
      await (
        await damaged("Damaged")
      )();
      await page.reload();
      await lines(page).first().waitFor();
      const told = await lines(page).allTextContents();
      expect(told).toHaveLength(3);
      expect(told[0]).toContain("A file could not be read FILE_READ_FAILED");
      expect(told[0]).toContain("files.read");
      expect(told[1]).toContain("It was too long for the model CONTEXT_EXHAUSTED");
      expect(told[1]).toContain("Message · Letters · local/too-long");
      expect(told[2]).toContain("Nobody had agreed to send it EGRESS_CONSENT_REQUIRED");
      expect(told[2]).toContain("Message · Books · elsewhere/gpt-5.2");
      expect(await violations(page)).toEqual([]);

      // By keyboard: narrowed to one workbench, its report opened and closed.
      await page.getByRole("combobox", { name: "Workbench" }).focus();
      await page.keyboard.press("Enter");
      await page.getByRole("option", { name: "Books" }).waitFor();
      await page.keyboard.type("Books");
      await page.keyboard.press("Enter");
      await page.getByRole("button", { name: "Clear" }).waitFor();
      expect(await lines(page).count()).toBe(1);
      expect(page.url()).toContain(books);
      const button = lines(page).getByRole("button", { name: "EGRESS_CONSENT_REQUIRED" });
      await button.focus();
      await page.keyboard.press("Enter");
      const report = page.getByRole("dialog", { name: "Report of a failure" });
      await report.getByText("What the run did last").waitFor();
      expect(await violations(page)).toEqual([]);
      const saving = page.waitForEvent("download");
      await report.getByRole("button", { name: "Download" }).click();
      const text = await readFile(await (await saving).path(), "utf8");
      expect(FailureReport.parse(JSON.parse(text))).toMatchObject({ errorCode: "EGRESS_CONSENT_REQUIRED", runId });
      expect(text).not.toContain("PLANTED");
      await page.keyboard.press("Escape");
      await report.waitFor({ state: "detached" });
      await expect.poll(() => button.evaluate((element) => element === element.ownerDocument.activeElement)).toBe(true);

      // From the report, too, the run is one step away.
      await button.click();
      await report.getByRole("link", { name: "message" }).click();
      await page.waitForURL(`**/runs/${runId}`);
      await page.goBack();
      await lines(page).getByRole("link", { name: "Message" }).click();
      await page.waitForURL(`**/runs/${runId}`);
    },
  );

  test("S11 many come page by page, and one workbench without any says so", { timeout: 90_000 }, async () => {
    const read = await damaged("Often");
    for (let count = 0; count < 51; count++) await read();
    const quiet = await bench.workbench("Quiet", budget);
    await using page = await bench.browser({ dark: true, width: 390, height: 844 });
    await bench.signIn(page);
    await open(page);
    await lines(page).nth(49).waitFor();
    expect(await lines(page).count()).toBe(50);
    await page.getByRole("button", { name: "Show older" }).click();
    await lines(page).nth(50).waitFor();
    expect(Number(await page.evaluate("document.documentElement.scrollWidth"))).toBe(390);
    expect(await violations(page)).toEqual([]);
    await lines(page).first().getByRole("button").click();
    await page.getByRole("dialog").getByText("files.read").waitFor();
    expect(await violations(page)).toEqual([]);
    await page.goto(`${bench.url}/settings?section=failures&workbench=${quiet}`);
    await page.getByText("Nothing went wrong here").waitFor();
    await page.getByRole("button", { name: "Show everything" }).click();
    await lines(page).first().waitFor();
  });

  test("nothing was asked of any other address, and no page complained", () => {
    expect(bench.strayRequests).toEqual([]);
    expect(bench.complaints).toEqual([]);
  });
});

function lines(page: Page) {
  return page.getByRole("list", { name: "What went wrong, newest first" }).getByRole("listitem");
}
