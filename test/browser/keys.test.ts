import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bench, hasBrowser } from "./bench.ts";

/** API keys, as a person makes, uses and revokes them. */
describe.skipIf(!hasBrowser)("API keys in a browser (needs /usr/bin/chromium)", () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.start();
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  const ask = (secret: string, path: string) =>
    fetch(`${bench.url}${path}`, { headers: { authorization: `Bearer ${secret}` } });

  test("P1.4 a key is shown once, does what its scopes say, and nothing after it was revoked", async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.goto(`${bench.url}/settings?section=keys`);
    await page.getByRole("button", { name: "New key…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name").fill("Nightly report");
    await dialog.getByRole("radio", { name: /^Read/ }).click();
    await dialog.getByRole("button", { name: "Make the key" }).click();
    const secret = (await dialog.getByLabel("API key", { exact: true }).textContent()) ?? "";
    await page.keyboard.press("Escape");
    await dialog.getByRole("button", { name: "I have stored it" }).click();
    await keys(page).getByText("never used").waitFor();
    expect(await page.content()).not.toContain(secret);

    expect((await ask(secret, "/api/v1/runs")).status).toBe(200);
    expect((await ask(secret, "/api/v1/members")).status).toBe(403);
    await page.reload();
    await keys(page)
      .getByText(/read only.*used/)
      .waitFor();
    expect(await page.content()).not.toContain(secret);

    await page.getByRole("button", { name: "Revoke Nightly report…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await keys(page).getByText("Revoked").waitFor();
    expect((await ask(secret, "/api/v1/runs")).status).toBe(401);
  });

  test(
    "P1.4 a key signs a browser in with its scopes alone, and out when it is revoked",
    { timeout: 60_000 },
    async () => {
      const { key, secret } = await bench.client.call("keys.create", { name: "Reader", scopes: ["runs:read"] });
      await using page = await bench.browser();
      await page.goto(`${bench.url}/runs`);
      await page.getByLabel("Token").fill(secret);
      await page.keyboard.press("Enter");
      await page.getByText("Nothing has run yet").waitFor();
      const sections = page.getByRole("navigation", { name: "Sections" }).first();
      expect(await sections.getByRole("link").allTextContents()).toEqual([
        "Home",
        "Runs",
        "Evals",
        "Approvals",
        "API",
        "Settings",
      ]);
      await page.getByRole("link", { name: "Home", exact: true }).click();
      await page.getByRole("heading", { name: "Home" }).waitFor();
      expect(await page.getByRole("alert").count()).toBe(0);
      await bench.client.call("keys.revoke", { keyId: key.keyId });
      // The console asks for running runs all the time, and hears of it without a click.
      await page.getByText("This browser is signed out.").waitFor();
    },
  );

  test("P1.4 a service’s key has an identity of its own", async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.goto(`${bench.url}/settings?section=keys`);
    await page.getByRole("button", { name: "New key…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name").fill("Worker");
    await dialog.getByRole("button", { name: "A service’s" }).click();
    await dialog.getByRole("radio", { name: /Custom/ }).click();
    await dialog.getByRole("checkbox", { name: /egress:write/ }).click();
    await dialog.getByRole("button", { name: "Make the key" }).click();
    const secret = (await dialog.getByLabel("API key", { exact: true }).textContent()) ?? "";
    await dialog.getByRole("button", { name: "I have stored it" }).click();
    const whoami = (await (await ask(secret, "/api/v1/whoami")).json()) as Record<string, unknown>;
    expect(whoami).toMatchObject({ displayName: "Worker", kind: "service", role: "editor", via: "api-key" });
    expect(whoami["permissions"]).toContain("runs:write");
    expect(whoami["permissions"]).not.toContain("egress:write");
  });

  test("a key is made, copied and put away by keyboard alone", { timeout: 60_000 }, async () => {
    await bench.client.call("keys.create", { name: "Another", scopes: ["runs:read"] });
    await using page = await bench.browser();
    await bench.signIn(page);
    const focused = () =>
      page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent");
    const tabTo = async (name: string) => {
      for (let step = 0; step < 60 && (await focused()) !== name; step++) await page.keyboard.press("Tab");
      expect(await focused()).toBe(name);
    };
    await page.keyboard.press("Control+k");
    await page.getByPlaceholder("Search workbenches, runs, actions…").waitFor();
    await page.keyboard.type("api keys");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "API keys" }).waitFor();
    await page.getByRole("button", { name: "New key…" }).waitFor();
    await tabTo("New key…");
    await page.keyboard.press("Enter");
    const name = page.getByRole("dialog").getByLabel("Name");
    await name.waitFor();
    // The dialog puts the focus into its first field a moment after it is there.
    await expect.poll(() => name.evaluate((field) => field === field.ownerDocument.activeElement)).toBe(true);
    await page.keyboard.type("By keyboard");
    // Past whose it is, to what it may do: up from “Work” is “Read”.
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("ArrowUp");
    await page.getByRole("radio", { name: /^Read/, checked: true }).waitFor();
    await tabTo("Make the key");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Copy", exact: true }).waitFor();
    await expect.poll(focused).toBe("Copy");
    await page.keyboard.press("Escape");
    await tabTo("I have stored it");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await keys(page).getByText("By keyboard").waitFor();
    // One goes on from where one was.
    await expect.poll(focused).toBe("New key…");
  });
});

function keys(page: Page): Locator {
  return page.getByRole("list", { name: "API keys" });
}
