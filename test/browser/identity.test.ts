import { createServer, type AddressInfo } from "node:net";
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startOidcProvider } from "../../packages/server/test/identity-providers.ts";
import { Bench, budget, hasBrowser, task, violations } from "./bench.ts";

/** People, what they may do, and where they are: as each of them sees it. */
describe.skipIf(!hasBrowser)("people in a browser (needs /usr/bin/chromium)", () => {
  let bench: Bench;
  let workbenchId: string;
  let runId: string;
  beforeAll(async () => {
    bench = await Bench.start();
    await bench.addLocalProvider();
    workbenchId = await bench.workbench("Shared", { ...budget, "old.txt": "old\n" });
    runId = await bench.ask(workbenchId, `delete old.txt, ${task}`);
  }, 90_000);
  afterAll(() => bench[Symbol.asyncDispose]());

  test(
    "W22 an owner invites in one browser, somebody joins in another, and both see each other",
    { timeout: 60_000 },
    async () => {
      await using owner = await bench.browser();
      await bench.signIn(owner);
      await owner.goto(`${bench.url}/settings?section=members`);
      await owner.getByRole("button", { name: "Invite…" }).click();
      await owner.getByRole("radio", { name: /Viewer/ }).click();
      await owner.getByRole("button", { name: "Make the invitation" }).click();
      const link = await owner.getByLabel("Invitation link", { exact: true }).textContent();
      // Nothing but its own button closes what is shown once.
      await owner.keyboard.press("Escape");
      await owner.getByRole("button", { name: "I have sent it" }).click();
      await owner.getByRole("list", { name: "Invitations" }).getByText("Whoever has the link").waitFor();

      await using guest = await bench.browser();
      await guest.goto(link ?? "");
      await guest.getByRole("heading", { name: "Join Default" }).waitFor();
      expect(guest.url()).toBe(`${bench.url}/`);
      await guest.getByText("as viewer").waitFor();
      await guest.getByLabel("Your name").fill("Alan Turing");
      await guest.keyboard.press("Enter");
      await guest.getByRole("heading", { name: "Home" }).waitFor();
      expect(await account(guest).getAttribute("aria-label")).toBe("Default, Alan Turing: workspaces and account");

      await owner.reload();
      await owner.getByRole("list", { name: "Members" }).getByText("Alan Turing").waitFor();
      await owner.getByText("Nobody is invited.").waitFor();
      // A link is good once.
      await using late = await bench.browser();
      await late.goto(link ?? "");
      await late.getByText("This invitation is not open any more.").waitFor();
      await late.getByRole("button", { name: "Sign in instead" }).click();
      await late.getByLabel("Token").waitFor();
    },
  );

  test("W22 somebody who is signed in joins as themselves", async () => {
    await using page = await bench.browser();
    await bench.join(page, "Emmy Noether", "viewer");
    const { workspaceId } = await bench.client.call("workspaces.create", { name: "Algebra" });
    const answer = await fetch(`${bench.url}/api/v1/invitations`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${bench.token}`,
        "benchtop-workspace": workspaceId,
        "content-type": "application/json",
      },
      body: JSON.stringify({ role: "admin" }),
    });
    const { url } = (await answer.json()) as { url: string };
    await page.goto(url);
    await page.getByText("You are signed in as").waitFor();
    await page.getByRole("button", { name: "Join", exact: true }).click();
    await page.getByRole("button", { name: "Algebra, Emmy Noether: workspaces and account" }).click();
    await page.getByRole("menuitem", { name: /Default/ }).click();
    await page.getByRole("button", { name: "Default, Emmy Noether: workspaces and account" }).waitFor();
    const { items } = await bench.client.call("members.list", {});
    expect(items.filter(({ displayName }) => displayName === "Emmy Noether")).toHaveLength(1);
  });

  test("W22 a viewer sees everything and is offered nothing that they may not do", { timeout: 90_000 }, async () => {
    await using page = await bench.browser();
    await bench.join(page, "Grace Hopper", "viewer");
    const offered: Record<string, string[]> = {};
    const write =
      /new workbench|send|publish|discard|restore|add files|add a folder|keep the files|confirm|stop|replay|fork|undo|approve|deny|invite|test|replace key|set key|remove|^add$|run again/i;
    const look = async (path: string, shows: string) => {
      await page.goto(`${bench.url}${path}`);
      await page.getByText(shows).filter({ visible: true }).first().waitFor();
      await page.waitForLoadState("networkidle");
      const names = await Promise.all(
        (await page.locator("button").all()).map(
          async (button) => (await button.getAttribute("aria-label")) ?? (await button.textContent()) ?? "",
        ),
      );
      const found = names.filter((name) => write.test(name));
      if (found.length > 0) offered[path] = found;
    };
    await look("/", "Recent runs");
    await look("/workbenches", "Shared");
    await look("/workbenches?create=true", "Shared");
    await look(`/workbenches/${workbenchId}?tab=conversation`, "Your role here, viewer, may not start");
    await look(`/workbenches/${workbenchId}?pane=review&path=old.txt`, "Deletion not confirmed");
    await look(`/workbenches/${workbenchId}?pane=checkpoints`, "Checkpoints");
    await look(`/runs/${runId}?event=10`, "Verify journal");
    await look("/settings?section=providers", "local");
    await look("/settings?section=members", "Grace Hopper");
    expect(offered).toEqual({});
    await look("/settings?section=access-log", "This part is not open to you");
    await page.keyboard.press("Control+k");
    await page.getByPlaceholder("Search workbenches, runs, actions…").fill("workbench");
    expect(await page.getByText("New workbench…").count()).toBe(0);
  });

  test("W22 a role that is taken away is noticed, and one that is given too", async () => {
    await using page = await bench.browser();
    await bench.join(page, "Ada Lovelace", "viewer");
    const { items } = await bench.client.call("members.list", {});
    const userId = items.find(({ displayName }) => displayName === "Ada Lovelace")?.userId ?? "";
    await bench.client.call("members.setRole", { userId, role: "editor" });
    await page.reload();
    await page.getByRole("button", { name: "New workbench" }).click();
    await bench.client.call("members.setRole", { userId, role: "viewer" });
    await page.getByRole("dialog").getByLabel("Name").fill("Too late");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("PERMISSION_DENIED").waitFor();
    const workbenches = await bench.client.call("workbenches.list", {});
    expect(workbenches.items.map(({ name }) => name)).not.toContain("Too late");
  });

  test(
    "W22 a link made for a member signs one browser in, and removing them signs it out",
    { timeout: 60_000 },
    async () => {
      await using member = await bench.browser();
      await bench.join(member, "Barbara Liskov", "viewer");
      await using owner = await bench.browser();
      await bench.signIn(owner);
      await owner.goto(`${bench.url}/settings?section=members`);
      const more = owner.getByRole("button", { name: "More about Barbara Liskov" });
      await more.click();
      await owner.getByRole("menuitem", { name: "One-time sign-in link…" }).click();
      await owner.getByRole("button", { name: "Make the link" }).click();
      const link = (await owner.getByLabel("Sign-in link", { exact: true }).textContent()) ?? "";
      await owner.getByRole("button", { name: "I have sent it" }).click();

      await using another = await bench.browser();
      await another.goto(link);
      await another.getByRole("button", { name: "Default, Barbara Liskov: workspaces and account" }).waitFor();

      await more.click();
      await owner.getByRole("menuitem", { name: "Remove…" }).click();
      const dialog = owner.getByRole("dialog");
      await dialog.getByText("Their API keys and browser sessions for Default end at once").waitFor();
      await dialog.getByRole("button", { name: "Remove" }).click();
      await more.waitFor({ state: "detached" });
      await another.getByText("This browser is signed out.").waitFor();
      await member.getByText("This browser is signed out.").waitFor();
      expect((await bench.client.call("members.list", {})).items.map(({ displayName }) => displayName)).not.toContain(
        "Barbara Liskov",
      );
    },
  );

  test(
    "W22 a session that was ended elsewhere leads to the sign-in form, and from there back",
    { timeout: 60_000 },
    async () => {
      await using here = await bench.browser();
      await bench.signIn(here);
      await here.goto(`${bench.url}/runs/${runId}?event=10`);
      await here.getByRole("region", { name: "Event", exact: true }).waitFor();
      await using other = await bench.browser();
      await bench.signIn(other);
      await other.goto(`${bench.url}/settings?section=sign-ins`);
      await other.getByText("This browser").waitFor();
      const ends = other.getByRole("button", { name: /^Sign .* out$/ });
      for (let left = await ends.count(); left > 0; left--) {
        await ends.first().click();
        await ends.nth(left - 1).waitFor({ state: "detached" });
      }
      // Whatever is asked next is refused: here, a click.
      await here.getByRole("button", { name: "Verify journal" }).click();
      await here.getByText("This browser is signed out.").waitFor();
      expect(await violations(here)).toEqual([]);
      await here.getByLabel("Token").fill(bench.token);
      await here.keyboard.press("Enter");
      await here.getByRole("region", { name: "Event", exact: true }).waitFor();
      expect(here.url()).toBe(`${bench.url}/runs/${runId}?event=10`);
    },
  );

  test("W22 switching the workspace shows nothing of the other one, in every tab", { timeout: 60_000 }, async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    const second = await page.context().newPage();
    await second.goto(`${bench.url}/workbenches`);
    await second.getByText("Shared").waitFor();
    await page.bringToFront();
    await account(page).click();
    await page.getByRole("menuitem", { name: "New workspace…" }).click();
    await page.getByRole("dialog").getByLabel("Name").fill("Research");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: /^Research, .*: workspaces and account$/ }).waitFor();
    await page.getByText("Choose where answers come from").waitFor();
    expect(await page.getByText("Shared").count()).toBe(0);
    await second.getByRole("button", { name: /^Research, .*: workspaces and account$/ }).waitFor();

    await page.keyboard.press("Control+k");
    await page.getByPlaceholder("Search workbenches, runs, actions…").fill("switch default");
    await page.keyboard.press("Enter");
    await page.getByText("Shared").first().waitFor();
    await second.getByText("Shared").first().waitFor();
  });

  test("W22 the access log tells of it, and its filters are in the address", async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.goto(`${bench.url}/settings?section=access-log&event=member.added`);
    const log = page.getByRole("list", { name: "Access log, newest first" });
    await log.getByText("Grace Hopper").waitFor();
    expect(await log.getByText("Signed in", { exact: true }).count()).toBe(0);
    await log.getByRole("button", { name: "Grace Hopper" }).click();
    await page.waitForURL(/person=/);
    await log.getByText("Alan Turing").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Clear" }).click();
    await log.getByText("Signed in", { exact: true }).first().waitFor();
  });

  test("P1.4 no page breaks the content security policy or asks another address", () => {
    expect(bench.complaints).toEqual([]);
    expect(bench.strayRequests).toEqual([]);
  });
});

describe.skipIf(!hasBrowser)("an identity provider in a browser (needs /usr/bin/chromium)", () => {
  test(
    "W22 an invitation is taken by signing in elsewhere, which leads back to where one was",
    { timeout: 60_000 },
    async () => {
      const port = await freePort();
      await using provider = await startOidcProvider({
        redirectUri: `http://127.0.0.1:${port}/sign-in/oidc`,
        accounts: {
          ada: { email: "ada@team.example", email_verified: true, name: "Ada" },
          eve: { email: "eve@elsewhere.example", email_verified: true, name: "Eve" },
        },
      });
      const team = {
        name: "team",
        displayName: "The Team",
        issuer: provider.issuer,
        clientId: "benchtop",
        local: true,
      };
      await using bench = await Bench.start({ port, config: { oidc: [team] } });
      const { url } = await bench.client.call("invitations.create", { role: "editor", email: "ada@team.example" });

      await using stranger = await bench.browser();
      await stranger.goto(`${bench.url}/runs?status=error`);
      await stranger.getByRole("button", { name: "Continue with The Team" }).click();
      await signInAs(stranger, "eve");
      await stranger.getByRole("alert").waitFor();
      expect(stranger.url()).toBe(`${bench.url}/runs?status=error`);

      await using page = await bench.browser();
      await page.goto(url);
      await page.getByText("ada@team.example").waitFor();
      expect(await violations(page)).toEqual([]);
      await page.getByRole("button", { name: "Join with The Team" }).click();
      await signInAs(page, "ada");
      await page.getByRole("button", { name: "Default, Ada: workspaces and account" }).waitFor();
      expect(page.url()).toBe(`${bench.url}/`);
    },
  );
});

describe.skipIf(!hasBrowser)("a daemon without sign-in in a browser (needs /usr/bin/chromium)", () => {
  test("P1.4 every screen says that nobody is asked who they are, and nothing takes that away", async () => {
    await using bench = await Bench.start({ config: { auth: "none" } });
    await using page = await bench.browser();
    for (const path of ["/", "/runs", "/settings?section=keys"]) {
      await page.goto(`${bench.url}${path}`);
      const banner = page.getByText("Nobody is asked who they are.");
      await banner.waitFor();
      expect(await page.getByRole("alert").getByRole("button").count()).toBe(0);
      expect(await violations(page)).toEqual([]);
    }
  });
});

function account(page: Page): Locator {
  return page.getByRole("button", { name: /: workspaces and account$/ });
}

/** At the pages of the identity provider: who it is, then that this is fine. */
async function signInAs(page: Page, login: string): Promise<void> {
  await page.locator("[name=login]").fill(login);
  await page.locator("[name=password]").fill("any");
  await page.locator("[type=submit]").click();
  await page.locator("[type=submit]").click();
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
