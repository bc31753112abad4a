import { hostname } from "node:os";
import { errorCodes, errorRules } from "@benchtop/protocol";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bench, budget, hasBrowser, task, violations } from "./bench.ts";

/** An error says what can be done about it, and each of its buttons does it from where it stands. */
describe.skipIf(!hasBrowser)("errors and their actions in a browser (needs /usr/bin/chromium)", () => {
  // The name of this machine is no `localhost`: it counts as another one, and the gate refuses where it leads.
  const elsewhere = /^[a-z0-9-]+(\.[a-z0-9-]+)*$/i.test(hostname()) ? hostname().toLowerCase() : "models.example";
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.start();
    await bench.addLocalProvider();
    await bench.client.call("providers.add", {
      name: "elsewhere",
      kind: "openai-chat",
      baseUrl: `https://${elsewhere}:${bench.model.port}/v1`,
      apiKey: "sk-any",
    });
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  async function open(page: Page, workbenchId: string): Promise<void> {
    await bench.signIn(page);
    await page.goto(`${bench.url}/workbenches/${workbenchId}`);
    await page.getByRole("log", { name: "Conversation" }).waitFor();
  }

  async function ended(runId: string): Promise<void> {
    for await (const _ of bench.client.follow(runId));
  }

  test("S9 every code is shown with a button for each of its actions", { timeout: 60_000 }, async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.goto(`${bench.url}/gallery`);
    const alerts = page.getByRole("alert");
    await alerts.first().waitFor();
    const shown: Record<string, number> = {};
    const expected: Record<string, number> = {};
    for (const code of errorCodes) {
      const alert = alerts.filter({ has: page.getByText(code, { exact: true }) });
      shown[code] = await alert.getByRole("button").count();
      expected[code] = errorRules[code].actions.length;
    }
    expect(shown).toEqual(expected);
    // How full a window is can be told without colours.
    for (const words of ["Light", "Moderate", "Heavy", "4k tokens"]) {
      await page.getByRole("button", { name: `Context: ${words}` }).waitFor();
    }
    await page.getByRole("button", { name: "Context: Heavy" }).click();
    await page.getByText("2 files left out").waitFor();
    await page.getByText("Together, of 128,000 (94 %)").waitFor();
    expect(await violations(page)).toEqual([]);
  });

  test(
    "S7 consent is asked from the error, says what would be sent and where to, and the question is asked again by itself",
    { timeout: 60_000 },
    async () => {
      const workbenchId = await bench.workbench("Consented from the error", budget);
      await bench.client.call("contextItems.put", {
        workbenchId,
        kind: "reference",
        title: "Names",
        content: "Anna, Ben.",
      });
      const { runId } = await bench.client.call("workshop.sendUserMessage", {
        workbenchId,
        message: "describe these files",
        model: "elsewhere/gpt-5.2",
      });
      await ended(runId);
      await using page = await bench.browser();
      await open(page, workbenchId);
      await page.getByText("EGRESS_CONSENT_REQUIRED").waitFor();
      await page.getByRole("button", { name: "Review what is sent" }).click();
      const dialog = page.getByRole("dialog", { name: `Send these files to ${elsewhere}` });
      await dialog.getByText(`2 files, ${Object.values(budget).join("").length} B`).waitFor();
      await dialog.getByRole("list", { name: "Files in scope" }).getByText("data.csv").waitFor();
      await dialog.getByText("1 context item, sent with every question").waitFor();
      await dialog
        .getByText(elsewhere.includes(".") ? /internet|local network/ : "local network")
        .first()
        .waitFor();
      expect(await violations(page)).toEqual([]);
      await dialog.getByRole("button", { name: "Allow once" }).click();
      // Asked again in place of the question that was refused; this time the way there is what fails.
      await page.getByText(/EGRESS_BLOCKED_BY_POLICY|NETWORK_UNAVAILABLE/).waitFor();
      await page.getByText("EGRESS_CONSENT_REQUIRED").waitFor({ state: "detached" });
      const { items } = await bench.client.call("workshop.conversation", { workbenchId });
      expect(items.filter(({ kind }) => kind === "message")).toHaveLength(1);
      const { workshop } = await bench.client.call("egress.consentStatus", { workbenchId, model: "elsewhere/gpt-5.2" });
      expect(workshop.consented).toBe(false);
    },
  );

  test(
    "S9 a provider that fails: switch the model from the error, try again, and the report of what went wrong",
    { timeout: 60_000 },
    async () => {
      const workbenchId = await bench.workbench("Fails first", budget);
      const message = "describe these files";
      const { runId } = await bench.client.call("workshop.sendUserMessage", {
        workbenchId,
        message,
        model: "local/too-long",
      });
      await ended(runId);
      await using page = await bench.browser();
      await open(page, workbenchId);
      const alert = page.getByRole("alert").filter({ hasText: "CONTEXT_EXHAUSTED" });
      await alert.getByRole("button", { name: /^report$/ }).click();
      const report = page.getByRole("dialog", { name: "Report of a failure" });
      await report.getByText("CONTEXT_EXHAUSTED", { exact: true }).waitFor();
      await report.getByText("What the run did last").waitFor();
      expect(await report.textContent()).not.toContain(message);
      expect(await violations(page)).toEqual([]);
      const saving = page.waitForEvent("download");
      await report.getByRole("button", { name: "Download" }).click();
      expect((await saving).suggestedFilename()).toMatch(/^fail_\w+\.json$/);
      await page.keyboard.press("Escape");
      await alert.getByRole("button", { name: "Switch model" }).click();
      await page.getByRole("option", { name: /^local\/gpt-5\.2 ?local$/ }).click();
      await page.getByText("Switched the model to local/gpt-5.2 from").waitFor();
      await page.getByRole("button", { name: "Regenerate", exact: true }).last().click();
      await alert.waitFor({ state: "detached" });
      await page.getByText("No changes: the files stay as they are.").waitFor();
    },
  );

  test(
    "S9 a Draft that appeared elsewhere refuses a restore: reviewed or discarded from the error itself",
    { timeout: 60_000 },
    async () => {
      const workbenchId = await bench.workbench("Overtaken", budget);
      await bench.ask(workbenchId, task);
      await bench.client.call("draft.publish", { workbenchId });
      await using page = await bench.browser();
      await open(page, workbenchId);
      await page.getByRole("button", { name: "Restore…" }).click();
      const dialog = page.getByRole("dialog", { name: "Restore this checkpoint?" });
      await bench.ask(workbenchId, 'replace "food" with "groceries" in notes.md');
      await dialog.getByRole("button", { name: "Restore" }).click();
      await dialog.getByText("DRAFT_EXISTS").waitFor();
      await dialog.getByRole("button", { name: "Discard Draft…" }).click();
      const discard = page.getByRole("dialog", { name: /^Discard/ });
      await discard.getByText("notes.md").waitFor();
      await discard.getByRole("button", { name: "Discard", exact: true }).click();
      await page.getByText("Draft discarded").waitFor();
      expect((await bench.client.call("draft.getState", { workbenchId })).exists).toBe(false);
    },
  );

  test(
    "S8 what the policy blocks leads to the hosts of the local network, which are approved and revoked there",
    { timeout: 60_000 },
    async () => {
      const workbenchId = await bench.workbench("Blocked", budget);
      const { runId } = await bench.client.call("workshop.runAgent", {
        workbenchId,
        task,
        model: "elsewhere/gpt-5.2",
        consent: { mode: "once" },
      });
      await ended(runId);
      await using page = await bench.browser();
      await open(page, workbenchId);
      await page.getByText("EGRESS_BLOCKED_BY_POLICY").waitFor();
      await page.getByRole("button", { name: "Open settings" }).click();
      await page.getByRole("heading", { name: "Local network" }).waitFor();
      await page.getByText("No host is approved").waitFor();
      await page.getByRole("button", { name: "Approve a host…" }).click();
      await page.keyboard.type("192.168.77.20:11434");
      await page.getByLabel("Note (optional)").fill("The workstation");
      await page.keyboard.press("Enter");
      const row = page.getByRole("list", { name: "Approved hosts" }).getByRole("listitem");
      await row.getByText("192.168.77.20:11434").waitFor();
      await row.getByText("The workstation").waitFor();
      // A host of the internet is none of the local network: the daemon refuses it, and the window says so.
      await page.getByRole("button", { name: "Approve a host…" }).click();
      await page.keyboard.type("203.0.113.7:443");
      await page.keyboard.press("Enter");
      await page.getByRole("dialog").getByRole("alert").waitFor();
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Revoke 192.168.77.20:11434" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
      await page.getByText("No host is approved").waitFor();
      await page.goto(`${bench.url}/egress?workbenchId=${workbenchId}`);
      await page.getByRole("columnheader", { name: "Files in scope" }).waitFor();
      await page.getByRole("columnheader", { name: "Tokens" }).waitFor();
      expect((await bench.client.call("egressExceptions.list", {})).items).toEqual([]);
    },
  );

  test("S9 who may only look is offered no button that would be refused", { timeout: 60_000 }, async () => {
    const workbenchId = await bench.workbench("Looked at", budget);
    await bench.ask(workbenchId, task);
    await bench.client.call("draft.publish", { workbenchId });
    const { runId } = await bench.client.call("workshop.runAgent", { workbenchId, task, model: "elsewhere/gpt-5.2" });
    await ended(runId);
    await using page = await bench.browser();
    await bench.join(page, "Vera", "viewer");
    await page.goto(`${bench.url}/workbenches/${workbenchId}`);
    await page.getByText("EGRESS_CONSENT_REQUIRED").waitFor();
    for (const name of ["Review what is sent", "Switch model", "Restore…", "Regenerate", "Send"]) {
      expect(await page.getByRole("button", { name, exact: true }).count()).toBe(0);
    }
    await page
      .getByRole("button", { name: /^More about the turn/ })
      .first()
      .click();
    await page.getByRole("menuitem", { name: "Copy the message" }).waitFor();
    expect(await page.getByRole("menuitem", { name: "Undo to here…" }).count()).toBe(0);
  });

  test("nothing was asked of any other address, and no page complained", () => {
    expect(bench.strayRequests).toEqual([]);
    expect(bench.complaints).toEqual([]);
  });
});
