import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bench, hasBrowser, violations } from "./bench.ts";

/** Review of real files: each as what it is, decided on, edited by hand, published, and written back. */
describe.skipIf(!hasBrowser)("Review in a browser (needs /usr/bin/chromium)", () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.start();
    await bench.addLocalProvider();
  }, 60_000);
  afterAll(() => bench[Symbol.asyncDispose]());

  /** A workbench whose Draft changes these files; what has no content after is deleted by the agent. */
  async function drafted(name: string, changes: Readonly<Record<string, Change>>): Promise<string> {
    const { workbenchId } = await bench.client.call("workbenches.create", { name });
    const before = Object.entries(changes).filter(([, change]) => change.before !== null);
    const uploads = await Promise.all(
      before.map(async ([path, change]) => ({ path, sha256: await upload(change.before ?? "") })),
    );
    await bench.client.call("files.add", { workbenchId, uploads });
    const deleted = Object.keys(changes).filter((path) => changes[path]?.after === null);
    for (const path of deleted) await bench.ask(workbenchId, `delete ${path}`);
    for (const [path, { after }] of Object.entries(changes)) {
      if (after === null) continue;
      const sha256 = uploads.find((each) => each.path === path)?.sha256 ?? null;
      await bench.client.call("draft.edit", { workbenchId, path, upload: await upload(after), sha256 });
    }
    return workbenchId;
  }
  async function upload(content: Content): Promise<string> {
    return (await bench.client.upload(new Blob([typeof content === "string" ? content : new Uint8Array(content)])))
      .sha256;
  }
  async function open(page: Page, workbenchId: string, path: string, more = "&full=true"): Promise<void> {
    await page.goto(`${bench.url}/workbenches/${workbenchId}?pane=review&path=${encodeURIComponent(path)}${more}`);
    await page.getByRole("heading", { name: path }).waitFor();
  }
  const change = async (workbenchId: string, path: string) =>
    (await bench.client.call("review.getChangeSet", { workbenchId })).changes.find((each) => each.path === path);

  test("S4 each kind of document is shown as what it is, by keyboard alone", { timeout: 90_000 }, async () => {
    const workbenchId = await drafted("Kinds", await everyKind());
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.goto(`${bench.url}/workbenches/${workbenchId}?full=true`);
    const review = page.getByRole("region", { name: "Review" });
    await review.waitFor();
    await page.getByRole("heading", { name: "notes.md" }).waitFor();

    // Modified files follow the added one, by name.
    await page.keyboard.press("j");
    const grid = page.getByRole("grid");
    await grid.waitFor();
    await page.keyboard.press("n");
    await page.keyboard.press("n");
    await review.getByText("SUM(B2:B4)").waitFor();
    // The changed cells of the next sheet come after those of this one.
    await page.keyboard.press("n");
    await page.getByRole("tab", { name: /Goals/, selected: true }).waitFor();
    await review.getByText("150", { exact: true }).first().waitFor();

    await page.keyboard.press("j");
    await page.getByRole("heading", { name: "contract.pdf" }).waitFor();
    const picture = page.getByRole("img", { name: "Page 1 after" });
    await picture.waitFor();
    await expect
      .poll(async () => Number(await page.evaluate(`document.querySelector('img[alt="Page 1 after"]').naturalWidth`)))
      .toBeGreaterThan(100);
    await review.getByText(/changed lines? of text/).waitFor();

    await page.keyboard.press("j");
    await page.getByRole("heading", { name: "data.csv" }).waitFor();
    await review.getByText("A cell that runs as a formula").first().waitFor();
    await page.getByRole("grid").waitFor();
    await page.keyboard.press("t");
    await review.getByRole("region", { name: "Changes of data.csv" }).getByText("insurance,80").waitFor();
    await page.keyboard.press("t");

    await page.keyboard.press("j");
    await page.getByRole("heading", { name: "firmware.bin" }).waitFor();
    await review.getByText("0x000000", { exact: true }).waitFor();
    await page.keyboard.press("n");
    await page.keyboard.press("n");
    // The second difference is further on: those bytes are asked for.
    await review.getByText("0x001770", { exact: true }).waitFor();

    await page.keyboard.press("j");
    await page.getByRole("heading", { name: "logo.png" }).waitFor();
    await review.getByRole("img", { name: "logo.png after" }).waitFor();
    await review.getByRole("button", { name: "Swipe" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("slider").focus();
    await page.keyboard.press("ArrowLeft");
    expect(await page.getByRole("slider").getAttribute("aria-valuetext")).toBe("49 %");
    await review.getByRole("button", { name: "Onion skin" }).click();

    await page.keyboard.press("j");
    await page.getByRole("heading", { name: "plan.docx" }).waitFor();
    await review.getByRole("heading", { name: "What to do" }).waitFor();
    await review.locator("ins", { hasText: "1250" }).first().waitFor();
    await review.locator("del", { hasText: "1200" }).first().waitFor();
    await page.keyboard.press("v");
    await review.getByText("Not there before").first().waitFor();

    await page.keyboard.press("j");
    await page.getByRole("heading", { name: "talk.pptx" }).waitFor();
    await review
      .getByRole("img", { name: /Plan of the slide/ })
      .first()
      .waitFor();
    await page.keyboard.press("n");
    await review.getByRole("heading", { name: /A new slide/ }).waitFor();
    await page.keyboard.press("t");
    await page.getByRole("region", { name: "Bytes of talk.pptx" }).waitFor();

    await page.keyboard.press("j");
    await page.getByRole("heading", { name: "old.txt" }).waitFor();
    await page.keyboard.press("a");
    await review.getByText("Deletion confirmed").waitFor();
    await review.getByText("1 of 9 accepted").waitFor();
  });

  test("S6 files and single changes are accepted and rejected, then published", { timeout: 60_000 }, async () => {
    const workbenchId = await drafted("Decided", {
      "kept.txt": { before: "old\n", after: null },
      "list.txt": { before: lines(60), after: lines(60, { 5: "five", 50: "fifty" }) },
      "new.md": { before: null, after: "# New\n" },
      "other.txt": { before: "one\n", after: "two\n" },
      "middle.txt": { before: "a\n", after: "b\n" },
    });
    await using page = await bench.browser();
    await bench.signIn(page);
    const review = page.getByRole("region", { name: "Review" });
    const dialog = page.getByRole("dialog");
    await open(page, workbenchId, "new.md");
    await review.getByText("0 of 5 accepted").waitFor();

    // A file, and back.
    await page.keyboard.press("a");
    await review.getByText("1 of 5 accepted").waitFor();
    await page.keyboard.press("a");
    await review.getByText("0 of 5 accepted").waitFor();
    // A new file that is rejected is gone, and the question says so.
    await page.keyboard.press("x");
    await dialog.getByText("it leaves the Draft and is lost").waitFor();
    await dialog.getByRole("button", { name: "Reject" }).click();
    await review.getByText("0 of 4 accepted").waitFor();
    expect(await change(workbenchId, "new.md")).toBeUndefined();

    // One change of a file, and then the other.
    await open(page, workbenchId, "list.txt");
    await review.getByText("Change 1 of 2").waitFor();
    await page.keyboard.press("Shift+A");
    await review.getByText("Accepted · Change 1 of 2").waitFor();
    await page.keyboard.press("n");
    await page.keyboard.press("Shift+X");
    await dialog.getByText("fifty").waitFor();
    await dialog.getByRole("button", { name: "Reject" }).click();
    await review.getByText("1 of 4 accepted").waitFor();
    expect(await change(workbenchId, "list.txt")).toMatchObject({ linesAdded: 1, linesRemoved: 1, accepted: true });

    // A deletion that is rejected keeps the file, without a question.
    await open(page, workbenchId, "kept.txt");
    await review.getByRole("button", { name: "Keep the file" }).click();
    await review.getByText("1 of 3 accepted").waitFor();
    expect(await change(workbenchId, "kept.txt")).toBeUndefined();

    await open(page, workbenchId, "other.txt");
    await page.keyboard.press("Shift+Enter");
    await dialog.getByText("1 of 3 accepted").waitFor();
    await dialog.getByText("1 file was not looked at").waitFor();
    await dialog.getByText("middle.txt").waitFor();
    await dialog.getByRole("button", { name: "Not yet" }).click();
    await review
      .getByRole("button", { name: "Accept 3 modified files" })
      .or(review.getByRole("button", { name: "Accept 2 modified files" }))
      .click();
    await review.getByText("3 of 3 accepted").waitFor();
    await page.keyboard.press("Shift+Enter");
    await dialog.getByRole("button", { name: "Publish" }).click();
    await dialog.getByText("Swap the files in one step").waitFor();
    await dialog.waitFor({ state: "detached" });
    const { publishedDir } = await bench.client.call("workbenches.open", { workbenchId });
    expect(await readFile(join(publishedDir, "list.txt"), "utf8")).toBe(lines(60, { 5: "five" }));
    expect(await readFile(join(publishedDir, "kept.txt"), "utf8")).toBe("old\n");
  });

  test("S6 what changed since a person looked is not decided on; they are told", { timeout: 60_000 }, async () => {
    const workbenchId = await drafted("Outdated", { "a.txt": { before: "one\n", after: "two\n" } });
    await using page = await bench.browser();
    await bench.signIn(page);
    await open(page, workbenchId, "a.txt");
    await page.getByText("two", { exact: true }).waitFor();
    const seen = await change(workbenchId, "a.txt");
    await bench.client.call("draft.edit", {
      workbenchId,
      path: "a.txt",
      content: "three\n",
      sha256: seen?.sha256After ?? null,
    });
    await page.keyboard.press("a");
    const alert = page.getByRole("alert");
    await alert.getByText("The file has changed since you looked. What is shown is what it is now.").waitFor();
    await page.getByText("three", { exact: true }).waitFor();
    expect(await change(workbenchId, "a.txt")).toMatchObject({ accepted: false });
    await page.keyboard.press("a");
    await page.getByText("1 of 1 accepted").waitFor();
    expect(await alert.count()).toBe(0);
  });

  test("S5 a file is edited by hand, replaced, and made new: all of it in the Draft", { timeout: 60_000 }, async () => {
    const workbenchId = await drafted("By hand", {
      "crlf.txt": { before: "one\r\ntwo\r\n", after: "one\r\n2\r\n" },
      "second.txt": { before: "a\n", after: "b\n" },
      "untouched.txt": { before: "as it was\n", after: "as it was\n" },
    });
    const draft = async (path: string) => {
      const file = await bench.client.download({ workbenchId, path, side: "draft" });
      return new TextDecoder().decode(await file.arrayBuffer());
    };
    await using page = await bench.browser();
    await bench.signIn(page);
    const review = page.getByRole("region", { name: "Review" });
    const dialog = page.getByRole("dialog");
    await open(page, workbenchId, "crlf.txt");
    await page.keyboard.press("e");
    const text = page.getByRole("textbox", { name: "Text of crlf.txt" });
    await text.waitFor();
    await page.keyboard.press("Control+End");
    await page.keyboard.type("three\n  four\nfive");
    // Leaving would lose it.
    await review.getByRole("button", { name: /second\.txt/ }).click();
    await dialog.getByText("Leave without saving?").waitFor();
    await dialog.getByRole("button", { name: "Keep editing" }).click();
    await text.focus();
    await page.keyboard.press("Control+s");
    await review.getByText("Saved into the Draft").waitFor();
    // Lines end as they did, and the new line began as the one before it.
    expect(await draft("crlf.txt")).toBe("one\r\n2\r\nthree\r\n  four\r\n  five");

    // Somebody else saves first.
    const theirs = await change(workbenchId, "crlf.txt");
    await bench.client.call("draft.edit", {
      workbenchId,
      path: "crlf.txt",
      content: "theirs\n",
      sha256: theirs?.sha256After ?? null,
    });
    await text.focus();
    await page.keyboard.type("!");
    await page.keyboard.press("Control+s");
    const alert = page.getByRole("alert");
    await alert.getByText("The file has changed since you opened it. Nothing was saved.").waitFor();
    expect(await draft("crlf.txt")).toBe("theirs\n");
    await alert.getByRole("button", { name: "Save mine over it" }).click();
    await review.getByText("Saved into the Draft").waitFor();
    expect(await draft("crlf.txt")).toContain("five!");
    await review.getByRole("button", { name: "Close", exact: true }).click();
    await review.getByRole("region", { name: "Changes of crlf.txt" }).waitFor();

    await open(page, workbenchId, "second.txt");
    const [replacement] = await bench.files({ "replacement.txt": "from a file\n" });
    await page.getByTestId("replace-input").setInputFiles(replacement ?? "");
    await review.getByText("from a file").waitFor();
    expect(await draft("second.txt")).toBe("from a file\n");

    // A file that the Draft did not change yet is edited where it is read.
    await page.goto(`${bench.url}/workbenches/${workbenchId}?pane=file&path=untouched.txt`);
    await page.getByRole("button", { name: "Edit" }).click();
    await page.getByRole("textbox", { name: "Text of untouched.txt" }).fill("touched\n");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved into the Draft").waitFor();
    expect(await draft("untouched.txt")).toBe("touched\n");
    expect(await change(workbenchId, "untouched.txt")).toMatchObject({ change: "modified" });

    await open(page, workbenchId, "second.txt");
    await review.getByRole("button", { name: "New file in the Draft" }).click();
    await dialog.getByLabel("Name").fill("notes/idea.md");
    await dialog.getByLabel("Text of the new file").fill("# Idea");
    await dialog.getByRole("button", { name: "Create" }).click();
    await page.getByRole("heading", { name: "notes/idea.md" }).waitFor();
    expect(await draft("notes/idea.md")).toBe("# Idea\n");
    expect(await change(workbenchId, "notes/idea.md")).toMatchObject({ change: "added", runId: null });
  });

  test(
    "S2 published files go back to where they came from, over newer ones only when told",
    { timeout: 60_000 },
    async () => {
      const sources = await bench.files({ "mine.txt": "one\n", "theirs.txt": "one\n" });
      const { workbenchId } = await bench.client.call("workbenches.create", { name: "Copied" });
      await bench.client.call("files.addFromHost", { workbenchId, sources });
      const { items } = await bench.client.call("files.list", { workbenchId });
      for (const { path, sha256 } of items) {
        await bench.client.call("draft.edit", { workbenchId, path, content: "two\n", sha256 });
      }
      await using page = await bench.browser();
      await bench.signIn(page);
      await open(page, workbenchId, "mine.txt", "");
      await page.keyboard.press("Shift+Enter");
      await page.getByRole("dialog").getByRole("button", { name: "Publish" }).click();
      const offer = page.getByRole("region", { name: "Write back" });
      await offer.getByText("2 published files are newer").waitFor();
      await writeFile(sources[1] ?? "", "changed there\n");
      await offer.getByRole("button", { name: "Write back…" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText("Changed there, too").waitFor();
      await dialog.getByRole("button", { name: "Write back 1 file" }).click();
      await dialog.getByText("1 file written back").waitFor();
      expect(await Promise.all(sources.map((path) => readFile(path, "utf8")))).toEqual(["two\n", "changed there\n"]);
      await dialog.getByRole("button", { name: "Done" }).click();

      await page.getByRole("button", { name: "More for files" }).click();
      await page.getByRole("menuitem", { name: "Write back…" }).click();
      await dialog.getByRole("checkbox", { name: /Overwrite what was changed there/ }).click();
      await dialog.getByRole("button", { name: "Write back 1 file" }).click();
      await dialog.getByText("1 file written back").waitFor();
      await dialog.getByText(/kept in the checkpoint/).waitFor();
      expect(await readFile(sources[1] ?? "", "utf8")).toBe("two\n");
      await dialog.getByRole("button", { name: "Done" }).click();
      await offer.waitFor({ state: "detached" });
    },
  );

  for (const appearance of ["light", "dark"] as const) {
    test(`S4 no kind of document breaks a rule of WCAG 2.1 AA (${appearance})`, { timeout: 120_000 }, async () => {
      const kinds = await everyKind();
      const workbenchId = await drafted(`Rules ${appearance}`, kinds);
      await using page = await bench.browser({ dark: appearance === "dark" });
      await bench.signIn(page);
      const found: Record<string, string[]> = {};
      const look = async (name: string) => {
        await page.waitForLoadState("networkidle");
        // Themes differ in colour alone.
        const broken = await violations(page, appearance === "dark" ? ["color-contrast"] : undefined);
        if (broken.length > 0) found[name] = broken;
      };
      await open(page, workbenchId, "notes.md");
      for (const path of Object.keys(kinds)) {
        await page.getByRole("heading", { name: path }).waitFor();
        await page.getByRole("status", { name: /Loading|Comparing/ }).waitFor({ state: "detached" });
        await look(path);
        await page.keyboard.press("j");
      }
      await open(page, workbenchId, "notes.md");
      await page.keyboard.press("e");
      await page.getByRole("textbox", { name: "Text of notes.md" }).waitFor();
      await look("the editor");
      await page.getByRole("button", { name: "Close", exact: true }).click();
      await page.keyboard.press("x");
      await page.getByRole("dialog").waitFor();
      await look("rejecting");
      await page.keyboard.press("Escape");
      await open(page, workbenchId, "plan.docx", "&full=true&view=split");
      await look("a document side by side");
      expect(found).toEqual({});
    });
  }

  test("S4 at 390 pixels every kind fits, and the decision is in reach", { timeout: 60_000 }, async () => {
    const kinds = await everyKind();
    const workbenchId = await drafted("Narrow", kinds);
    await using page = await bench.browser({ width: 390, height: 844 });
    await bench.signIn(page);
    const wide: string[] = [];
    for (const path of Object.keys(kinds)) {
      await open(page, workbenchId, path, "");
      await page.waitForLoadState("networkidle");
      const width = Number(await page.evaluate("document.documentElement.scrollWidth"));
      if (width > 390) wide.push(`${path}: ${width}`);
      const decide = page.getByRole("button", { name: /^(Accept|Confirm deletion)$/ });
      const box = await decide.boundingBox();
      expect(box !== null && box.x >= 0 && box.x + box.width <= 390).toBe(true);
    }
    expect(wide).toEqual([]);
  });

  test("nothing was asked of any other address, and no page complained", () => {
    expect(bench.strayRequests).toEqual([]);
    expect(bench.complaints).toEqual([]);
  });
});

type Content = string | Uint8Array;
interface Change {
  readonly before: Content | null;
  readonly after: Content | null;
}

/** A change of each kind that Review knows; the documents are as LibreOffice writes them. */
async function everyKind(): Promise<Readonly<Record<string, Change>>> {
  return {
    "notes.md": { before: null, after: "# Notes\n\n- one\n" },
    "budget.xlsx": await pair("budget", "xlsx"),
    "contract.pdf": await pair("contract", "pdf"),
    "data.csv": {
      before: "item,amount\nrent,1200\nfood,450\n",
      after: 'item,amount\nrent,1250\nfood,450\ninsurance,80\nlink,"=HYPERLINK(""http://x.example"",""y"")"\n',
    },
    "firmware.bin": { before: bytes(), after: bytes(700, 6000) },
    "logo.png": { before: png(300, 200, 80), after: png(320, 200, 160) },
    "plan.docx": await pair("plan", "docx"),
    "talk.pptx": await pair("talk", "pptx"),
    "old.txt": { before: "old\n", after: null },
  };
}

async function pair(name: string, extension: string): Promise<Change> {
  const read = (side: string) => readFile(join(import.meta.dirname, `documents/${name}-${side}.${extension}`));
  return { before: await read("before"), after: await read("after") };
}

/** Bytes of which these are others. */
function bytes(...others: number[]): Uint8Array {
  return Uint8Array.from({ length: 9000 }, (_, index) => (others.includes(index) ? 1 : (index * 7) % 251));
}

/** Numbered lines, some of them with other words. */
function lines(count: number, others: Readonly<Record<number, string>> = {}): string {
  return Array.from({ length: count }, (_, index) => `${others[index + 1] ?? `line ${index + 1}`}\n`).join("");
}

/** A picture of this size: a gradient with this much blue. */
function png(width: number, height: number, blue: number): Uint8Array {
  const pixels = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) pixels.set([x % 256, y % 256, blue], y * (width * 3 + 1) + 1 + x * 3);
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(pixels)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
