import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bench, budget, hasBrowser, task, violations } from "./bench.ts";

const model = "local/gpt-5.2";
const gate = "Publish or discard the Draft first: restoring would change the files below it.";

/** The conversation about files: asked, proposed, reviewed, taken back, and always within reach of the keyboard. */
describe.skipIf(!hasBrowser)("the workshop in a browser (needs /usr/bin/chromium)", () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.start();
    await bench.addLocalProvider();
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  /** Says something and waits for the answer, as another client would. */
  async function say(workbenchId: string, message: string): Promise<string> {
    const { runId } = await bench.client.call("workshop.sendUserMessage", { workbenchId, message, model });
    for await (const event of bench.client.follow(runId)) {
      if (event.type === "Error") throw new Error(event.error.message);
    }
    return runId;
  }

  async function open(page: Page, workbenchId: string, search = ""): Promise<void> {
    await bench.signIn(page);
    await page.goto(`${bench.url}/workbenches/${workbenchId}${search}`);
    await page.getByRole("log", { name: "Conversation" }).waitFor();
  }

  /** Published once, and then something was proposed: every kind of row there is between two turns. */
  async function lived(name: string): Promise<string> {
    const workbenchId = await bench.workbench(name, { ...budget, "old.txt": "old\n" });
    await bench.ask(workbenchId, task);
    await bench.client.call("draft.publish", { workbenchId, message: "Totals of the year" });
    await bench.client.call("workshop.switchModel", { workbenchId, model: "local/gpt-5.2-mini" });
    return workbenchId;
  }

  test(
    "S3 S4 a message proposes changes at once, Review opens by itself, and again when one comes back",
    { timeout: 60_000 },
    async () => {
      const workbenchId = await bench.workbench("Asked", budget);
      await using page = await bench.browser();
      await open(page, workbenchId);
      await page.getByRole("button", { name: "Ask", exact: true }).click();
      await page.getByLabel("Message about the files").fill('replace "Budget notes" with "Notes" in notes.md');
      await page.keyboard.press("Enter");
      const review = page.getByRole("region", { name: "Review", exact: true });
      await review.waitFor();
      const card = page.getByRole("region", { name: "Proposed changes" });
      await card.getByRole("heading", { name: "1 file changed in the Draft" }).waitFor();
      await card.getByRole("button", { name: "Review notes.md, modified" }).waitFor();
      await card.getByRole("button", { name: "As it was proposed" }).click();
      await card.getByText(/proposal\.json \(.+\), apply\.json/).waitFor();

      // A person who closed it is not asked again, until they come back.
      await review.getByRole("button", { name: "Close Review" }).click();
      await review.waitFor({ state: "detached" });
      await card.getByRole("button", { name: "Review", exact: true }).click();
      await review.waitFor();
      await review.getByRole("button", { name: "Close Review" }).click();
      await page.getByRole("link", { name: "Runs", exact: true }).click();
      await page.getByRole("heading", { name: "Runs" }).waitFor();
      await page.getByRole("link", { name: "Workbenches", exact: true }).first().click();
      await page.getByRole("link", { name: /Asked/ }).click();
      await review.waitFor();

      // A way of asking is remembered, and an answer that changes nothing says so.
      await page.getByLabel("Message about the files").fill("describe these files");
      await page.keyboard.press("Enter");
      await page.getByText("No changes: the files stay as they are.").waitFor();
      expect((await bench.client.call("draft.getState", { workbenchId })).counts.modified).toBe(1);
    },
  );

  test(
    "S2 S4 while a Draft exists, restoring, adding and deleting are off, and say why on hover and on focus",
    { timeout: 60_000 },
    async () => {
      const workbenchId = await lived("Gated by a Draft");
      await say(workbenchId, 'replace "food" with "groceries" in notes.md');
      await using page = await bench.browser();
      await open(page, workbenchId, "?tab=conversation");
      const card = page.getByRole("region", { name: "Checkpoint: 2 files published" });
      await card.getByText("Totals of the year").waitFor();
      await card.getByText("+1 added").waitFor();
      const restore = card.getByRole("button", { name: "Restore…" });
      expect(await restore.getAttribute("aria-disabled")).toBe("true");
      /** What floats above the screen; what is only read aloud does not. */
      const tip = (reason: string) => page.locator(".floating").filter({ hasText: reason });
      const said = async (button: ReturnType<Page["getByRole"]>, reason: string) => {
        await button.hover();
        await tip(reason).waitFor();
        await page.mouse.move(2, 300);
        await tip(reason).waitFor({ state: "detached" });
        await button.focus();
        await page.keyboard.press("Shift+Tab");
        await page.keyboard.press("Tab");
        await tip(reason).waitFor();
      };
      await said(restore, gate);
      await page.keyboard.press("Enter");
      expect(await page.getByRole("dialog").count()).toBe(0);
      // Read aloud, too.
      const reason = await restore.getAttribute("aria-describedby");
      expect(await page.evaluate(`document.getElementById(${JSON.stringify(reason)}).textContent`)).toBe(gate);
      await page.keyboard.press("Escape");
      await tip(gate).waitFor({ state: "detached" });
      await said(
        page.getByRole("button", { name: /^Add files/ }),
        "Publish or discard the Draft first: files are locked",
      );

      await page.getByRole("button", { name: "More about this workbench" }).click();
      for (const name of [/^Delete…/, /^Copy the files out…/]) {
        const item = page.getByRole("menuitem", { name });
        expect(await item.getAttribute("aria-disabled")).toBe("true");
        await item.getByText("Publish or discard the Draft first.").waitFor();
      }
      await page.keyboard.press("Escape");

      // The list of checkpoints is gated alike, and points out the one that was asked for.
      await card.getByRole("button", { name: "Review the checkpoint" }).click();
      const pane = page.getByRole("region", { name: "Checkpoints" });
      await pane.locator("[aria-current=true]").getByText("Totals of the year").waitFor();
      expect(await pane.getByRole("button", { name: /^Restore/ }).getAttribute("aria-disabled")).toBe("true");
      await bench.client.call("draft.discard", { workbenchId });
      await page.reload();
      await page.getByText("Draft discarded").waitFor();
      expect(await card.getByRole("button", { name: "Restore…" }).getAttribute("aria-disabled")).toBe(null);
    },
  );

  test(
    "S3 undo to a message takes turns and Draft changes back, a person's own only when told, and gives the words back",
    { timeout: 60_000 },
    async () => {
      const workbenchId = await bench.workbench("Taken back", budget);
      const asked = 'replace "food" with "groceries" in notes.md';
      await say(workbenchId, "describe these files");
      await say(workbenchId, asked);
      await bench.ask(workbenchId, "add a summary.md");
      const { changes } = await bench.client.call("review.getChangeSet", { workbenchId });
      const notes = changes.find(({ path }) => path === "notes.md");
      await bench.client.call("draft.edit", {
        workbenchId,
        path: "notes.md",
        content: "# By hand\n",
        sha256: notes?.sha256After ?? null,
      });
      await using page = await bench.browser();
      await open(page, workbenchId, "?tab=conversation");
      await page.getByRole("button", { name: `More about the turn “${asked}”` }).click();
      await page.getByRole("menuitem", { name: "Undo to here…" }).click();
      const dialog = page.getByRole("dialog");
      await dialog
        .getByText(/this message with its answer, and the 1 turn after it, and the changes to 2 files/)
        .waitFor();
      const list = dialog.getByRole("list", { name: "Changes that go" });
      expect(await list.getByRole("listitem").count()).toBe(2);
      await dialog.getByRole("button", { name: "Undo" }).click();
      const lose = dialog.getByRole("checkbox", { name: /Also lose 1 file that was changed by hand since/ });
      await lose.waitFor();
      const undo = dialog.getByRole("button", { name: "Undo" });
      expect(await undo.getAttribute("aria-disabled")).toBe("true");
      expect((await bench.client.call("draft.getState", { workbenchId })).exists).toBe(true);
      expect(await violations(page)).toEqual([]);
      await lose.click();
      await undo.click();
      await dialog.waitFor({ state: "detached" });
      await page.getByText(`“${asked}”`).waitFor();
      await page.getByText("Went back").first().waitFor();
      expect(await page.getByLabel("Message about the files").inputValue()).toBe(asked);
      expect((await bench.client.call("draft.getState", { workbenchId })).exists).toBe(false);
      const { items } = await bench.client.call("workshop.conversation", { workbenchId });
      expect(items.map(({ kind }) => kind)).toEqual(["rewind", "message"]);
    },
  );

  test(
    "S3 past a publish the way back is the checkpoint, and the error leads to the right one",
    { timeout: 60_000 },
    async () => {
      const workbenchId = await bench.workbench("Past a publish", budget);
      await bench.ask(workbenchId, task);
      await bench.client.call("draft.publish", { workbenchId });
      await say(workbenchId, "describe these files");
      const { publishedDir } = await bench.client.call("workbenches.open", { workbenchId });
      await using page = await bench.browser();
      await open(page, workbenchId);
      await page.getByRole("button", { name: `More about the turn “${task}”` }).click();
      await page.getByRole("menuitem", { name: "Undo to here…" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: "Undo" }).click();
      await dialog.getByText("CONFLICT_PUBLISHED_CHANGED").waitFor();
      await dialog.getByRole("button", { name: "Restore…" }).click();
      await page
        .getByRole("dialog", { name: "Restore this checkpoint?" })
        .getByRole("button", { name: "Restore" })
        .click();
      await page.getByText("Restored", { exact: true }).waitFor();
      expect(await readFile(join(publishedDir, "data.csv"), "utf8")).toBe(budget["data.csv"]);
    },
  );

  test(
    "S3 the newest turn is asked again, also of another model; an older one is not",
    { timeout: 60_000 },
    async () => {
      const workbenchId = await bench.workbench("Again", budget);
      await say(workbenchId, "what is in notes.md?");
      await say(workbenchId, 'replace "food" with "groceries" in notes.md');
      await using page = await bench.browser();
      await open(page, workbenchId, "?tab=conversation");
      await page.getByRole("button", { name: "More about the turn “what is in notes.md?”" }).click();
      const item = page.getByRole("menuitem", { name: /^Regenerate/ }).first();
      expect(await item.getAttribute("aria-disabled")).toBe("true");
      await item.getByText("Only the newest turn can be asked again.").waitFor();
      await page.keyboard.press("Escape");

      await page.getByRole("button", { name: /^More about the turn “replace/ }).click();
      await page.getByRole("menuitem", { name: "Regenerate with another model…" }).click();
      const dialog = page.getByRole("dialog", { name: "Ask this again with another model" });
      await dialog.getByRole("list", { name: "Changes that go" }).getByText("notes.md").waitFor();
      await dialog.getByRole("button", { name: /^Model/ }).click();
      await page.getByRole("option", { name: "local/gpt-5.2-mini" }).click();
      await dialog.getByRole("button", { name: "Regenerate" }).click();
      await page.getByText("· asked again").waitFor();
      await page.getByRole("heading", { name: "1 file changed in the Draft" }).waitFor();
      const { items } = await bench.client.call("workshop.conversation", { workbenchId });
      const [newest] = items;
      expect(newest).toMatchObject({ kind: "message", model: "local/gpt-5.2-mini" });
      expect(newest?.regenerates).not.toBeNull();
      expect(items.filter(({ kind }) => kind === "message")).toHaveLength(2);

      // A person's own change goes with the answer only when told.
      const [change] = (await bench.client.call("review.getChangeSet", { workbenchId })).changes;
      const content = "# By hand\n";
      await bench.client.call("draft.edit", {
        workbenchId,
        path: "notes.md",
        content,
        sha256: change?.sha256After ?? null,
      });
      await page.getByRole("button", { name: "Regenerate", exact: true }).click();
      await page.getByRole("dialog", { name: "Ask this again?" }).getByRole("button", { name: "Regenerate" }).click();
      const refused = page.getByRole("alert").filter({ hasText: "VALIDATION_FAILED" });
      await refused.getByText("notes.md").waitFor();
      await refused.getByRole("button", { name: "Lose 1 changed file and regenerate" }).click();
      await refused.waitFor({ state: "detached" });
      const text = async () =>
        Buffer.from(
          await (await bench.client.download({ workbenchId, path: "notes.md", side: "draft" })).arrayBuffer(),
        ).toString("utf8");
      await expect.poll(text).toContain("groceries");
    },
  );

  test(
    "S3 another model is chosen in the conversation, for everybody who looks at it",
    { timeout: 60_000 },
    async () => {
      const workbenchId = await bench.workbench("Switched", budget);
      await say(workbenchId, "what is in notes.md?");
      await using page = await bench.browser();
      await open(page, workbenchId);
      await page.getByRole("button", { name: /^Model: local\/gpt-5.2$/ }).click();
      await page.getByRole("option", { name: "local/gpt-5.2-mini" }).click();
      await page.getByText("Switched the model to local/gpt-5.2-mini from local/gpt-5.2").waitFor();
      await using other = await bench.browser({ width: 390, height: 844 });
      await open(other, workbenchId);
      await other.getByRole("button", { name: "Model: local/gpt-5.2-mini" }).waitFor();
      const { items } = await bench.client.call("workshop.conversation", { workbenchId });
      expect(items.map(({ kind }) => kind)).toEqual(["switch-model", "message"]);
    },
  );

  test(
    "S7 context items are told with every question: added, changed, counted, removed",
    { timeout: 60_000 },
    async () => {
      const workbenchId = await bench.workbench("Told", budget);
      await using page = await bench.browser();
      await open(page, workbenchId);
      await page.getByRole("button", { name: /^Context: [\d.]+k? tokens$/ }).click();
      await page.getByText("Nobody says how large this model’s window is").waitFor();
      expect(await violations(page)).toEqual([]);
      await page.getByRole("button", { name: "Context items…" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText("Nothing is told by default").waitFor();
      await dialog.getByRole("button", { name: "Add an item" }).click();
      await page.keyboard.type("House style");
      await dialog.getByRole("radio", { name: /Style guide/ }).click();
      await dialog.getByLabel("Text").fill("Short sentences. No exclamation marks.");
      await dialog.getByRole("button", { name: "Add", exact: true }).click();
      await dialog.getByText(/Style guide · 38 characters/).waitFor();
      await dialog.getByRole("button", { name: "Edit House style" }).click();
      await dialog.getByLabel("Text").fill("Short sentences.");
      await dialog.getByRole("button", { name: "Save" }).click();
      await dialog.getByText(/16 characters/).waitFor();
      expect(await violations(page)).toEqual([]);
      await dialog.getByRole("button", { name: "Close" }).last().click();
      await page.getByText("· 1 context item").first().waitFor();
      const chat = () => bench.model.requests.filter(({ path }) => path.endsWith("/completions"));
      const before = chat().length;
      await say(workbenchId, "what is in notes.md?");
      expect(chat()[before]?.body).toContain("Short sentences.");

      await page.getByRole("button", { name: /^Context:/ }).click();
      await page.getByText("· 1 item").waitFor();
      await page.getByRole("button", { name: "Context items…" }).click();
      await dialog.getByRole("button", { name: "Remove House style" }).click();
      await dialog.getByRole("button", { name: "Remove for good" }).click();
      await dialog.getByText("Nothing is told by default").waitFor();
      expect((await bench.client.call("contextItems.list", { workbenchId })).items).toEqual([]);
    },
  );

  test("S6 a Draft that nobody touched for days is recalled, here and in the list", { timeout: 60_000 }, async () => {
    const workbenchId = await bench.workbench("Forgotten", budget);
    await say(workbenchId, 'replace "food" with "groceries" in notes.md');
    const database = new DatabaseSync(join(bench.folder, "home/ops.db"));
    const earlier = new Date(Date.now() - 4.5 * 86_400_000).toISOString();
    database.prepare("UPDATE drafts SET updated_at = ? WHERE workbench_id = ?").run(earlier, workbenchId);
    database.close();
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.goto(`${bench.url}/workbenches`);
    await page
      .getByRole("link", { name: /Forgotten/ })
      .getByText("Draft untouched for 4 days")
      .waitFor();
    await page.getByRole("link", { name: /Forgotten/ }).click();
    const banner = page.getByRole("status").filter({ hasText: "Draft untouched for 4 days." });
    await banner.getByText("1 changed file, not real yet: review, publish or discard.").waitFor();
    await banner.getByRole("button", { name: "Discard…" }).click();
    await page.getByRole("dialog").getByText("notes.md").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Discard" }).click();
    await page.getByText("Draft discarded").waitFor();
    await banner.waitFor({ state: "detached" });
    expect((await bench.client.call("draft.getState", { workbenchId })).exists).toBe(false);
  });

  test(
    "S2 the published files are copied out, and what is there already stays unless told",
    { timeout: 60_000 },
    async () => {
      const workbenchId = await bench.workbench("Copied out", budget);
      const folder = join(bench.folder, "user/out");
      await mkdir(folder);
      await writeFile(join(folder, "notes.md"), "mine\n");
      await using page = await bench.browser();
      await open(page, workbenchId);
      await page.getByRole("button", { name: "More about this workbench" }).click();
      await page.getByRole("menuitem", { name: "Copy the files out…" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Folder").fill(folder);
      await page.keyboard.press("Enter");
      await dialog.getByText("1 file copied, 1 left out:").waitFor();
      await dialog.getByRole("list", { name: "Files that were left out" }).getByText("notes.md").first().waitFor();
      expect(await readFile(join(folder, "notes.md"), "utf8")).toBe("mine\n");
      expect(await violations(page)).toEqual([]);
      await dialog.getByText("Replace files that are there").click();
      await dialog.getByRole("button", { name: "Copy", exact: true }).click();
      await dialog.getByText("2 files copied").waitFor();
      expect(await readFile(join(folder, "notes.md"), "utf8")).toBe(budget["notes.md"]);
    },
  );

  test("S3 the conversation is exported as JSON Lines, oldest first", { timeout: 60_000 }, async () => {
    const workbenchId = await lived("To export");
    await using page = await bench.browser();
    await open(page, workbenchId);
    await page.getByRole("button", { name: "More about this workbench" }).click();
    await page.getByRole("menuitem", { name: "Export the conversation" }).click();
    const saving = page.waitForEvent("download");
    await page.getByRole("dialog").getByRole("button", { name: "Download" }).click();
    const file = await saving;
    expect(file.suggestedFilename()).toBe("to-export-conversation.jsonl");
    const lines = (await readFile(await file.path(), "utf8")).trimEnd().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { type: string }).type)).toEqual([
      "conversation",
      "agent",
      "publish",
      "switch-model",
    ]);
  });

  test("S4 ask, review, confirm a deletion, publish and restore by keyboard alone", { timeout: 90_000 }, async () => {
    const workbenchId = await bench.workbench("Keys only", { ...budget, "old.txt": "old\n" });
    const { publishedDir } = await bench.client.call("workbenches.open", { workbenchId });
    await using page = await bench.browser();
    await open(page, workbenchId);
    const keys = async (...pressed: string[]) => {
      for (const key of pressed) await page.keyboard.press(key);
    };
    /** Goes on with Tab until the focus is where a person wants it. */
    const tabTo = async (name: RegExp) => {
      for (let presses = 0; presses < 120; presses++) {
        const focused = await page.evaluate<string>(
          `(document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? "")`,
        );
        if (name.test(focused)) return;
        await keys("Tab");
      }
      throw new Error(`Nothing named ${name} can be reached with Tab.`);
    };
    await page.getByRole("treeitem", { name: "old.txt" }).waitFor();
    // From "Work" to "Ask" and into the text, as it lies.
    await tabTo(/^Ask$/);
    await keys("Enter", "/");
    await page.keyboard.type("delete old.txt");
    await keys("Enter");
    const review = page.getByRole("region", { name: "Review", exact: true });
    await review.getByText("Confirm 1 deletion first.").first().waitFor();
    await page
      .getByText(/Done\. I asked to delete old\.txt/)
      .first()
      .waitFor();
    await keys("Escape", "y");
    await review.getByRole("button", { name: "Publish 1 file" }).and(page.locator(":not([aria-disabled])")).waitFor();
    await keys("Shift+Enter");
    await page.getByRole("dialog").getByRole("button", { name: "Publish" }).waitFor();
    await keys("Enter");
    await page.getByText("Published", { exact: true }).waitFor();
    await expect(readFile(join(publishedDir, "old.txt"))).rejects.toThrow("ENOENT");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await tabTo(/^Restore…/);
    await keys("Enter");
    await page.getByRole("dialog", { name: "Restore this checkpoint?" }).waitFor();
    await keys("Enter");
    await page.getByText("Restored", { exact: true }).waitFor();
    expect(await readFile(join(publishedDir, "old.txt"), "utf8")).toBe("old\n");
  });

  for (const [name, dark, width] of [
    ["light", false, 1440],
    ["dark", true, 1440],
    ["390 pixels", false, 390],
  ] as const) {
    test(`no row or window of the workshop breaks a rule of WCAG 2.1 AA (${name})`, { timeout: 90_000 }, async () => {
      const workbenchId = await lived(`For everyone, ${name}`);
      await say(workbenchId, "describe these files");
      await say(workbenchId, 'replace "food" with "groceries" in notes.md');
      await using page = await bench.browser({ dark, width, height: 844 });
      await open(page, workbenchId, "?tab=conversation");
      await page.getByRole("button", { name: /^Context: / }).waitFor();
      await page.getByRole("heading", { name: "1 file changed in the Draft" }).waitFor();
      const found: Record<string, string[]> = {};
      const wide: string[] = [];
      const look = async (what: string) => {
        // Themes differ in colour alone.
        found[what] = await violations(page, dark ? ["color-contrast"] : undefined);
        const across = Number(await page.evaluate("document.documentElement.scrollWidth"));
        if (across > width) wide.push(`${what}: ${across}`);
      };
      await look("conversation");
      await page.getByRole("button", { name: /^More about the turn “replace/ }).click();
      await page.getByRole("menuitem", { name: "Undo to here…" }).waitFor();
      await look("menu of a turn");
      await page.getByRole("menuitem", { name: "Undo to here…" }).click();
      await page.getByRole("dialog").getByText("notes.md", { exact: true }).waitFor();
      await look("undo");
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: /^Context: / }).click();
      await page.getByText("Nothing was sent.").waitFor();
      await look("context");
      await page.keyboard.press("Escape");
      await page.goto(`${bench.url}/settings?section=network`);
      await page.getByRole("button", { name: "Approve a host…" }).click();
      await page.getByRole("dialog").waitFor();
      await look("approve a host");
      expect(Object.fromEntries(Object.entries(found).filter(([, broken]) => broken.length > 0))).toEqual({});
      expect(wide).toEqual([]);
    });
  }

  test("nothing was asked of any other address, and no page complained", () => {
    expect(bench.strayRequests).toEqual([]);
    expect(bench.complaints).toEqual([]);
  });
});
