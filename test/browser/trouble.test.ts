import { appendFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bench, budget, hasBrowser, task } from "./bench.ts";

/** What can go wrong is said next to its cause, and its buttons work. */
describe.skipIf(!hasBrowser)("trouble in a browser (needs /usr/bin/chromium)", () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.start({ model: { apiKey: "sk-right" } });
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  test("S9 a wrong key: the real error, and buttons that lead to the right one", { timeout: 60_000 }, async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.getByRole("button", { name: /On this machine/ }).click();
    await page.getByLabel("Base URL").fill(bench.model.url);
    await page.getByLabel(/API key/).fill("sk-wrong");
    await page.getByRole("button", { name: "Save and test" }).click();
    const alert = page.getByRole("alert");
    await alert.getByText("PROVIDER_AUTH_FAILED").waitFor();
    await alert.getByRole("button", { name: "Open settings" }).click();
    expect(await page.evaluate("document.activeElement.name")).toBe("apiKey");
    await page.keyboard.type("sk-right");
    await page.keyboard.press("Enter");
    await page.getByText("Connected.").waitFor();
    expect(await alert.count()).toBe(0);
  });

  test(
    "S9 a key that stops working: the run says so, and the settings are one click away",
    { timeout: 60_000 },
    async () => {
      const provider = { name: "local", kind: "openai-chat", baseUrl: bench.model.url, local: true } as const;
      await bench.client.call("providers.add", { ...provider, apiKey: "sk-old" });
      const workbenchId = await bench.workbench("Old key", budget);
      await using page = await bench.browser();
      await bench.signIn(page);
      await page.goto(`${bench.url}/workbenches/${workbenchId}`);
      await page.getByRole("button", { name: /^Model/ }).click();
      // The provider does not list its models now: the name is written out.
      await page.getByPlaceholder("Find a model…").fill("gpt-5.2");
      await page.getByText("Use local/gpt-5.2").click();
      await page.getByLabel("Task for the agent").fill(task);
      await page.keyboard.press("Enter");
      const alert = page.getByRole("alert");
      await alert.getByText("PROVIDER_AUTH_FAILED").waitFor();
      await alert.getByRole("button", { name: "Switch model" }).click();
      await page.getByPlaceholder("Find a model…").waitFor();
      await page.keyboard.press("Escape");
      await alert.getByRole("button", { name: "Open settings" }).click();
      await page.getByRole("button", { name: "Replace key" }).click();
      await page.getByLabel("New API key for local").fill("sk-right");
      await page.keyboard.press("Enter");
      await page.getByText(/Answers in/).waitFor();
      await page.goBack();
      await page.getByLabel("Task for the agent").fill(task);
      await page.keyboard.press("Enter");
      await page.getByText("Done. The totals in data.csv add up now.").first().waitFor();
      expect((await bench.client.call("draft.getState", { workbenchId })).exists).toBe(true);
    },
  );

  test(
    "S7 another machine: asked first, nothing is sent on cancel, and once means once",
    { timeout: 60_000 },
    async () => {
      // The name of this machine is no `localhost`: it counts as another one, and the gate refuses where it leads.
      const host = /^[a-z0-9-]+(\.[a-z0-9-]+)*$/i.test(hostname()) ? hostname().toLowerCase() : "models.example";
      await bench.client.call("providers.add", {
        name: "elsewhere",
        kind: "openai-chat",
        baseUrl: `https://${host}:${bench.model.port}/v1`,
        apiKey: "sk-right",
      });
      const workbenchId = await bench.workbench("Remote", budget);
      const asked = () => bench.model.requests.filter(({ path }) => !path.endsWith("/models")).length;
      const before = asked();
      await using page = await bench.browser();
      await bench.signIn(page);
      await page.evaluate(`localStorage.setItem("benchtop.model", "elsewhere/gpt-5.2")`);
      await page.goto(`${bench.url}/workbenches/${workbenchId}`);
      await page.getByText("Remote", { exact: true }).first().waitFor();
      const text = page.getByLabel("Task for the agent");
      const dialog = page.getByRole("dialog");

      await text.fill(task);
      await page.keyboard.press("Enter");
      await dialog.getByText(`Send these files to ${host}`).waitFor();
      await dialog.getByText("elsewhere", { exact: true }).waitFor();
      await dialog.getByText("gpt-5.2", { exact: true }).waitFor();
      await dialog.getByText("notes.md").waitFor();
      await dialog.getByRole("button", { name: "Cancel" }).click();
      expect((await bench.client.call("runs.list", { workbenchId })).items).toEqual([]);

      await text.fill(task);
      await page.keyboard.press("Enter");
      await dialog.getByRole("button", { name: "Allow once" }).click();
      const alert = page.getByRole("alert");
      await alert.first().waitFor();
      expect(await alert.first().textContent()).toMatch(/EGRESS_BLOCKED_BY_POLICY|NETWORK_UNAVAILABLE/);

      // Once was that run: the next attempt asks again.
      await text.fill(task);
      await page.keyboard.press("Enter");
      await dialog.getByRole("button", { name: "Allow once" }).waitFor();
      await page.keyboard.press("Escape");
      // The local provider may be asked for its models meanwhile; no task was sent anywhere.
      expect(asked()).toBe(before);
    },
  );

  test(
    "S9 a run that was refused for want of consent offers to review what is sent, and runs again",
    { timeout: 60_000 },
    async () => {
      const workbenchId = await bench.workbench("Refused", budget);
      await bench.client.call("workshop.runAgent", { workbenchId, task, model: "elsewhere/gpt-5.2" });
      await using page = await bench.browser();
      await bench.signIn(page);
      await page.goto(`${bench.url}/workbenches/${workbenchId}`);
      await page.getByText("EGRESS_CONSENT_REQUIRED").waitFor();
      await page.getByRole("button", { name: "Review what is sent" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Always for this workbench and model" }).click();
      await page.getByText(/EGRESS_BLOCKED_BY_POLICY|NETWORK_UNAVAILABLE/).waitFor();
      const { workshop: status } = await bench.client.call("egress.consentStatus", {
        workbenchId,
        model: "elsewhere/gpt-5.2",
      });
      expect(status).toMatchObject({ consented: true, persisted: true });
    },
  );

  test("S2 S4 while a Draft exists, what it forbids is disabled and says why", { timeout: 60_000 }, async () => {
    const workbenchId = await bench.workbench("Gated", { ...budget, "old.txt": "old\n" });
    await bench.ask(workbenchId, task);
    await bench.client.call("draft.publish", { workbenchId });
    await bench.ask(workbenchId, "delete old.txt");
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.goto(`${bench.url}/workbenches/${workbenchId}`);
    const review = page.getByRole("region", { name: "Review" });
    await review.waitFor();

    const publish = review.getByRole("button", { name: "Publish 1 file" });
    expect(await publish.getAttribute("aria-disabled")).toBe("true");
    await review.getByText("Confirm 1 deletion first.").first().waitFor();
    await publish.click({ force: true });
    expect(await page.getByRole("dialog").count()).toBe(0);

    const restore = page.getByRole("log").getByRole("button", { name: "Restore" });
    expect(await restore.getAttribute("aria-disabled")).toBe("true");
    await restore.hover();
    await page
      .getByText("Publish or discard the Draft first: restoring would change the files below it.")
      .first()
      .waitFor();

    await page.keyboard.press("y");
    await review.getByText("Deletion confirmed").waitFor();
    expect(await publish.getAttribute("aria-disabled")).toBe(null);

    await review.getByRole("button", { name: "Close Review" }).click();
    expect(
      await page.getByRole("button", { name: /^Add files: Publish or discard/ }).getAttribute("aria-disabled"),
    ).toBe("true");

    // Discarding names what is lost.
    await page.keyboard.press("r");
    await review.getByRole("button", { name: "Discard…" }).click();
    await page.getByRole("dialog").getByText("old.txt").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Discard" }).click();
    await page.getByText("No Draft").first().waitFor();
    expect(await page.getByRole("button", { name: "Add files", exact: true }).getAttribute("aria-disabled")).toBe(null);
  });

  test("a change behind our back is shown, and can be taken or put back", { timeout: 60_000 }, async () => {
    const workbenchId = await bench.workbench("Outside", budget);
    const { publishedDir } = await bench.client.call("workbenches.open", { workbenchId });
    await appendFile(join(publishedDir, "notes.md"), "from an editor\n");
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.goto(`${bench.url}/workbenches/${workbenchId}`);
    await page.getByText("1 published file changed outside of Benchtop.").waitFor();
    await page.getByRole("button", { name: "Put the files back" }).click();
    await page.getByText("changed outside of Benchtop").waitFor({ state: "detached" });
    await page.getByRole("treeitem", { name: "notes.md" }).click();
    await page.getByRole("region", { name: "Content of notes.md" }).getByText("Total: 1850").waitFor();
    expect(await page.getByText("from an editor").count()).toBe(0);
  });

  test(
    "H2 a running agent can be told something and stopped, from its screen and from everywhere",
    { timeout: 60_000 },
    async () => {
      const workbenchId = await bench.workbench("Slow", budget);
      await bench.client.call("workshop.runAgent", { workbenchId, task, model: "local/hesitant" });
      await using page = await bench.browser();
      await bench.signIn(page);
      await page.getByRole("region", { name: "Running now" }).getByText(task).click();
      await page.getByText("Running", { exact: true }).waitFor();
      await page.getByRole("button", { name: "Stop", exact: true }).click();
      await page.getByText("Stopped", { exact: true }).waitFor();

      await bench.client.call("workshop.runAgent", { workbenchId, task, model: "local/hesitant" });
      await page.goto(`${bench.url}/workbenches/${workbenchId}`);
      await page.getByLabel("Hint for the running agent").fill("round to whole numbers");
      await page.getByRole("button", { name: "Hint" }).click();
      await page.getByLabel("Hint for the running agent").and(page.locator(":empty")).waitFor();
      await page.getByRole("button", { name: "Stop", exact: true }).click();
      await page.getByText("USER_CANCELED").nth(1).waitFor();
      expect((await bench.client.call("runs.list", { status: "pending" })).items).toEqual([]);
    },
  );

  test(
    "S1 dropped files are added; one that is there already is replaced only when told",
    { timeout: 60_000 },
    async () => {
      const workbenchId = await bench.workbench("Dropped", { "notes.md": "old\n" });
      await using page = await bench.browser();
      await bench.signIn(page);
      await page.goto(`${bench.url}/workbenches/${workbenchId}`);
      const panel = page.getByRole("region", { name: "Files" });
      await panel.getByRole("treeitem", { name: "notes.md" }).waitFor();
      const dropped = await page.evaluateHandle(`(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File(["new\\n"], "notes.md"));
      transfer.items.add(new File(["a,b\\n"], "data.csv"));
      return transfer;
    })()`);
      await panel.dispatchEvent("dragover", { dataTransfer: dropped });
      await panel.getByText("Drop to copy into this workbench").waitFor();
      await panel.dispatchEvent("drop", { dataTransfer: dropped });
      await page.getByRole("dialog").getByText("1 file with the same path is there already").waitFor();
      await page.getByRole("dialog").getByRole("button", { name: "Replace" }).click();
      await panel.getByRole("treeitem", { name: "data.csv" }).waitFor();
      await panel.getByRole("treeitem", { name: "notes.md" }).click();
      await page.getByRole("region", { name: "Content of notes.md" }).getByText("new").waitFor();
      await page.keyboard.press("Escape");
      await panel.getByRole("tree").focus();
      await page.keyboard.press("Home");
      await page.keyboard.press("Delete");
      await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
      await page.getByRole("dialog").waitFor({ state: "detached" });
      expect(await panel.getByRole("treeitem").count()).toBe(1);
      expect((await bench.client.call("files.list", { workbenchId })).items.map(({ path }) => path)).toEqual([
        "notes.md",
      ]);
    },
  );

  test("nothing was asked of any other address, and no page complained", () => {
    expect(bench.strayRequests).toEqual([]);
    expect(bench.complaints).toEqual([]);
  });
});
