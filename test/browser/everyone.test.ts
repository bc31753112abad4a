import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { Bench, budget, hasBrowser, task, violations } from "./bench.ts";

/** The console for everyone: by keyboard alone, with a screen reader, in the dark, on a phone. */
describe.skipIf(!hasBrowser)("the console for everyone (needs /usr/bin/chromium)", () => {
  let bench: Bench;
  let screens: readonly (readonly [name: string, path: string, shows: string, press?: string])[];
  beforeAll(async () => {
    bench = await Bench.start();
    await bench.addLocalProvider();
    const published = await bench.workbench("Published", budget);
    await bench.ask(published, task);
    await bench.client.call("draft.publish", { workbenchId: published });
    const drafted = await bench.workbench("Drafted", { ...budget, "old.txt": "old\n" });
    const runId = await bench.ask(drafted, "delete old.txt, make the totals consistent and add a summary.md");
    await bench.client.call("keys.create", { name: "Nightly report", scopes: ["runs:read"] });
    await bench.invite("viewer");
    const failed = await bench.client.call("runs.start", { prompt: "hello", model: "local/broken" });
    screens = [
      ["Home", "/", "Recent runs"],
      ["Workbenches", "/workbenches", "Drafted"],
      ["a new workbench", "/workbenches?create=true", "Files are added by copy"],
      ["conversation", `/workbenches/${published}`, "Checkpoint of what was there before"],
      ["a file", `/workbenches/${published}?pane=file&path=notes.md`, "# Budget notes"],
      ["checkpoints", `/workbenches/${published}?pane=checkpoints`, "Before publishing"],
      ["Review", `/workbenches/${drafted}`, "Summary"],
      ["Review side by side", `/workbenches/${drafted}?pane=review&path=data.csv&full=true&view=split`, "1950"],
      ["Runs", "/runs", "Publish"],
      ["a run", `/runs/${runId}?event=10`, "Verify journal"],
      ["a failed run", `/runs/${failed.runId}`, "Failed"],
      ["Egress", "/egress", "Stayed here"],
      ["Settings", "/settings", "Model providers"],
      ["members", "/settings?section=members", "Open invitations"],
      ["keys", "/settings?section=keys", "Nightly report"],
      ["a new key", "/settings?section=keys", "Nightly report", "New key…"],
      ["an invitation to make", "/settings?section=members", "Open invitations", "Invite…"],
      ["sign-ins", "/settings?section=sign-ins", "This browser"],
      ["access log", "/settings?section=access-log", "Key made"],
      ["what went wrong", "/settings?section=failures", "The provider failed"],
      ["workspace", "/settings?section=workspace", "You are here"],
      ["API", "/api", "Each is defined once"],
      ["an operation", "/api?operation=runs.start", "This is not a rehearsal."],
      ["an operation's answer", "/api?operation=workspaces.list", "It reads and changes nothing.", "Send"],
      ["appearance", "/settings?section=appearance", "High contrast"],
      ["About", "/settings?section=about", "Other connections"],
      ["components", "/gallery", "Chips and states"],
      ["nothing", "/nowhere", "Nothing lives at this address"],
    ];
  }, 90_000);
  afterAll(() => bench[Symbol.asyncDispose]());

  async function visit(page: Page, path: string, shows: string, press?: string): Promise<void> {
    await page.goto(`${bench.url}${path}`);
    await page.getByText(shows).filter({ visible: true }).first().waitFor();
    if (press !== undefined) await page.getByRole("button", { name: press, exact: true }).click();
    await page.waitForLoadState("networkidle");
  }

  for (const appearance of ["light", "dark"] as const) {
    test(`no screen breaks a rule of WCAG 2.1 AA (${appearance})`, { timeout: 180_000 }, async () => {
      await using page = await bench.browser({ dark: appearance === "dark" });
      await page.goto(bench.url);
      await page.getByLabel("Token").waitFor();
      const found: Record<string, string[]> = { "sign-in": await violations(page) };
      await page.goto(await bench.invite("editor"));
      await page.getByLabel("Your name").waitFor();
      found["an invitation"] = await violations(page);
      await bench.signIn(page);
      for (const [name, path, shows, press] of screens) {
        await visit(page, path, shows, press);
        // Themes differ in colour alone.
        found[name] = await violations(page, appearance === "dark" ? ["color-contrast"] : undefined);
      }
      await page.keyboard.press("Control+k");
      await page.getByPlaceholder("Search workbenches, runs, actions…").waitFor();
      found["the palette"] = await violations(page);
      expect(Object.fromEntries(Object.entries(found).filter(([, broken]) => broken.length > 0))).toEqual({});
      expect(bench.complaints).toEqual([]);
    });
  }

  test("at 390 pixels nothing is cut off sideways, and every part can be reached", { timeout: 120_000 }, async () => {
    await using page = await bench.browser({ width: 390, height: 844 });
    await bench.signIn(page);
    const wide: string[] = [];
    for (const [name, path, shows, press] of screens) {
      // The list of operations takes the place of what introduces it.
      await visit(page, path, path === "/api" ? "whoami" : shows, press);
      const width = Number(await page.evaluate("document.documentElement.scrollWidth"));
      if (width > 390) wide.push(`${name}: ${width}`);
    }
    expect(wide).toEqual([]);
    await visit(page, "/workbenches", "Drafted");
    await page.getByRole("link", { name: /Drafted/ }).click();
    await page.getByRole("region", { name: "Review" }).waitFor();
    await page.getByRole("button", { name: "Conversation" }).click();
    await page.getByLabel("Task for the agent").waitFor();
    await page.getByRole("button", { name: "Files", exact: true }).click();
    await page.getByRole("tree").waitFor();
    await page.getByRole("link", { name: "Runs", exact: true }).click();
    await page.getByRole("heading", { name: "Runs" }).waitFor();
  });

  test("create, ask, review and publish by keyboard alone", { timeout: 90_000 }, async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    const keys = async (...pressed: string[]) => {
      for (const key of pressed) await page.keyboard.press(key);
    };
    await page.getByText("Recent runs").waitFor();
    await keys("Control+k");
    await page.getByPlaceholder("Search workbenches, runs, actions…").waitFor();
    await page.keyboard.type("new workbench");
    await keys("Enter");
    await page.getByRole("dialog").getByLabel("Name").waitFor();
    await page.keyboard.type("By keyboard");
    await keys("Enter");
    await page.getByText("Drop files or folders here").waitFor();
    await keys("/");
    await page.keyboard.type("add a summary.md");
    await keys("Enter");
    const review = page.getByRole("region", { name: "Review" });
    await review.waitFor();
    await page
      .getByText(/Done\. .*Review the Draft/)
      .first()
      .waitFor();
    await review.getByRole("button", { name: "Publish 1 file" }).and(page.locator(":not([aria-disabled])")).waitFor();
    await keys("Escape", "j", "n", "Shift+Enter");
    await page.getByRole("dialog").getByRole("button", { name: "Publish" }).waitFor();
    await keys("Enter");
    await page.getByText("Published", { exact: true }).waitFor();
    const [latest] = (await bench.client.call("workbenches.list", {})).items;
    expect(latest).toMatchObject({ name: "By keyboard", fileCount: 1, hasDraft: false });
    await keys("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await keys("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await keys("g", "r");
    await page.getByRole("heading", { name: "Runs" }).waitFor();
    await page.goBack();
    await page.getByRole("heading", { name: "By keyboard" }).waitFor();
  });

  test("an appearance that was chosen stays", async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    await visit(page, "/settings?section=appearance", "High contrast");
    await page.getByRole("radio", { name: /Dark/ }).click();
    await page.reload();
    expect(await page.evaluate("document.documentElement.dataset.theme")).toBe("dark");
    await page.getByText("High contrast").click();
    expect(await page.evaluate("document.documentElement.dataset.contrast")).toBe("more");
    expect(await violations(page)).toEqual([]);
  });
});
