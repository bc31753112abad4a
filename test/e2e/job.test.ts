import { spawnSync } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunEvent } from "../../packages/protocol/src/index.ts";
import { startModelServer, type ModelServer } from "../model-server.ts";
import { finished, Home, prints } from "./home.ts";

const notes = "# Notes\nThe budget of the year.\n";
const data = "item,Q1,Q2\nrent,10,20\nfood,5,6\nTotal,16,26\n";

describe.each(["openai-chat", "openai-responses", "anthropic-messages"] as const)(
  "the job, from an empty home, over %s",
  (kind) => {
    let home: Home;
    let server: ModelServer;
    let runId: string;
    beforeAll(async () => {
      home = await Home.create();
      server = await startModelServer({ apiKey: "sk-loopback" });
      await home.write({ "notes.md": notes, "data.csv": data });
    });
    afterAll(async () => {
      await home[Symbol.asyncDispose]();
      await server.close();
    });

    test("a provider is added; the key reaches the provider and is never shown again", async () => {
      await home.addProvider(server.url, kind);
      const list = await home.ok("providers", "list", "--json");
      expect(list.json).toMatchObject({ items: [{ name: "local", kind, local: true, hasApiKey: true }] });
      expect(list.stdout).not.toContain("sk-loopback");
      expect((await home.ok("providers", "test", "local", "--json")).json).toMatchObject({ ok: true });
      const { authorization, "x-api-key": key } = server.requests.at(-1)?.headers ?? {};
      expect(kind === "anthropic-messages" ? key : authorization).toMatch(/^(Bearer )?sk-loopback$/);
      expect((await home.ok("models")).stdout).toContain("local/gpt-5.2");
    });

    test("S1 a workbench is made of copies of the files", async () => {
      const made = await home.ok("workbench", "create", "budget", "--add", "notes.md", "--add", "data.csv", "--json");
      expect(made.json).toMatchObject({ name: "budget", fileCount: 2, hasDraft: false });
      expect(await home.published()).toEqual({ "notes.md": notes, "data.csv": data });
    });

    test("S5 the agent changes the Draft, says what it does, and leaves Published alone", async () => {
      const asked = await home.ok(
        "ask",
        "budget",
        "make the totals consistent and add a summary.md",
        "--model",
        "local/gpt-5.2",
        "--json",
      );
      const events = asked.events();
      runId = events[0]?.runId ?? "";
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index));
      expect(events[0]?.type).toBe("RunStarted");
      expect(events.at(-1)?.type).toBe("Completed");
      expect(events.flatMap((event) => (event.type === "DraftChanged" ? [[event.change, event.path]] : []))).toEqual([
        ["modified", "data.csv"],
        ["added", "summary.md"],
      ]);
      expect(await home.published()).toEqual({ "notes.md": notes, "data.csv": data });
    });

    test("S10 review is offline: the diff asks no model", async () => {
      const before = server.requests.length;
      const { stdout } = await home.ok("draft", "diff", "budget");
      expect(stdout).toContain("-Total,16,26\n+Total,15,26\n");
      expect(stdout).toContain("+# Summary\n");
      expect(stdout).not.toContain("\u001B");
      expect(server.requests.length).toBe(before);
    });

    test("the diff is a patch that git applies", async () => {
      const { stdout } = await home.ok("draft", "diff", "budget");
      const folder = join(home.folder, kind);
      spawnSync("cp", ["-r", home.files, folder]);
      writeFileSync(join(folder, "draft.patch"), stdout);
      const applied = spawnSync("git", ["apply", "draft.patch"], { cwd: folder, encoding: "utf8" });
      expect(applied.stderr).toBe("");
      expect(readFileSync(join(folder, "data.csv"), "utf8")).toBe("item,Q1,Q2\nrent,10,20\nfood,5,6\nTotal,15,26\n");
    });

    test("S2 files are not changed while a Draft exists, and the command says what to do", async () => {
      const refused = await home.run(["workbench", "remove", "budget", "notes.md"]);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain("[DRAFT_EXISTS]");
      expect(refused.stderr).toContain("benchtop draft publish budget");
    });

    test("S6 publishing shows its phases and makes the Draft real", async () => {
      const { stdout, stderr } = await home.ok("draft", "publish", "budget");
      expect(stdout).toContain("Published budget: 1 added, 1 modified.");
      expect(stderr.match(/Publishing: .*/g)?.slice(0, 3)).toEqual([
        "Publishing: validating",
        "Publishing: conflict check",
        "Publishing: checkpoint pre publish",
      ]);
      const published = await home.published();
      expect(published["data.csv"]).toContain("Total,15,26");
      expect(Object.keys(published).toSorted()).toEqual(["data.csv", "notes.md", "summary.md"]);
    });

    test("runs are listed, shown and verified", async () => {
      const { items } = (await home.ok("runs", "list", "--json")).json as { items: { runId: string; kind: string }[] };
      expect(items.map(({ kind }) => kind)).toEqual(["publish", "agent"]);
      const shown = await home.ok("runs", "show", runId, "--events");
      expect(shown.stdout).toContain("ToolCallRequested");
      const json = (await home.ok("runs", "show", runId, "--events", "--json")).json as { events: RunEvent[] };
      expect((await home.ok("runs", "events", runId, "--json")).events()).toEqual(json.events);
      expect((await home.ok("runs", "verify", "--all", "--json")).json).toMatchObject({ ok: true, verified: 2 });
    });

    test("a checkpoint is restored, and what was there can be brought back too", async () => {
      const { items } = (await home.ok("checkpoints", "list", "budget", "--json")).json as {
        items: { checkpointId: string }[];
      };
      await home.ok("checkpoints", "restore", "budget", String(items[0]?.checkpointId));
      expect(await home.published()).toEqual({ "notes.md": notes, "data.csv": data });
      await home.ok("checkpoints", "restore", "budget");
      expect(Object.keys(await home.published())).toContain("summary.md");
    });

    test("deletions wait for a person", async () => {
      await home.ok("ask", "budget", "delete summary.md", "--model", "local/gpt-5.2");
      const refused = await home.run(["draft", "publish", "budget", "--json"]);
      expect(refused.code).toBe(2);
      expect(refused.error().message).toContain("--confirm-deletions");
      expect(Object.keys(await home.published())).toContain("summary.md");
      await home.ok("draft", "publish", "budget", "--confirm-deletions");
      expect(Object.keys(await home.published())).not.toContain("summary.md");
    });

    test("a discarded Draft leaves nothing behind", async () => {
      const before = await home.published();
      await home.ok("ask", "budget", 'add x.md with "hello"', "--model", "local/gpt-5.2");
      expect((await home.ok("workbench", "cat", "budget", "x.md", "--draft")).stdout).toBe("hello\n");
      expect((await home.ok("draft", "discard", "budget", "--json")).json).toEqual({ discarded: true });
      expect(await home.published()).toEqual(before);
      expect((await home.ok("draft", "status", "budget", "--json")).json).toMatchObject({ draft: { exists: false } });
    });

    test("nothing but the provider was asked, and every request is on record", async () => {
      const { items } = (await home.ok("egress", "--limit", "1000", "--json")).json as {
        items: { host: string; outcome: string }[];
      };
      expect(new Set(items.map(({ host }) => host))).toEqual(new Set([new URL(server.url).host]));
      expect(items.filter(({ outcome }) => outcome === "sent")).toHaveLength(server.requests.length);
    });
  },
);

describe("the daemon and its commands", () => {
  let home: Home;
  beforeAll(async () => (home = await Home.create()));
  afterAll(() => home[Symbol.asyncDispose]());

  test("status and down are honest when nothing runs, and start nothing", async () => {
    const status = await home.run(["status", "--json"]);
    expect([status.code, status.json]).toEqual([1, { running: false, home: home.home }]);
    expect((await home.ok("down", "--json")).json).toEqual({ stopped: false, pid: null });
  });

  test("up --json prints one line once ready, stays, and a signal ends it cleanly", async () => {
    const child = home.start(["up", "--json", "--no-open"]);
    const ended = finished(child);
    const line = JSON.parse(await prints(child, "\n")) as { url: string; token: string; pid: number };
    expect(line.pid).toBe(child.pid);
    expect((await fetch(`${line.url}/readyz`)).status).toBe(200);
    expect((await fetch(`${line.url}/api/v1/status`)).status).toBe(401);
    const headers = { authorization: `Bearer ${line.token}` };
    expect((await fetch(`${line.url}/api/v1/status`, { headers })).status).toBe(200);

    const token = join(home.home, "bootstrap-token");
    expect(readFileSync(token, "utf8").trim()).toBe(line.token);
    expect(statSync(token).mode & 0o777).toBe(0o600);
    expect((await home.ok("up", "--json", "--no-open")).json).toEqual(line);

    child.kill("SIGTERM");
    const { code, stdout } = await ended;
    expect([code, stdout.trim().split("\n").length]).toEqual([0, 1]);
    expect((await home.run(["status"])).code).toBe(1);
  });

  test("up --detach leaves it running, and prints an address that signs one browser in", async () => {
    const { stdout } = await home.ok("up", "--detach", "--no-open");
    const address = /http:\/\/127\.0\.0\.1:\d+\/\S*#token=([\w-]+)/.exec(stdout);
    const origin = new URL(String(address?.[0])).origin;
    const signIn = () =>
      fetch(`${origin}/api/v1/sign-in`, {
        method: "POST",
        headers: { "content-type": "application/json", origin },
        body: JSON.stringify({ token: address?.[1] }),
      });
    expect((await signIn()).status).toBe(200);
    expect((await signIn()).status).toBe(401);
    expect((await home.ok("status", "--json")).json).toMatchObject({ running: true, home: home.home });
    expect((await home.ok("down", "--json")).json).toMatchObject({ stopped: true });
  });

  test("a command starts the daemon where it needs one; two at once share it", async () => {
    const [first, second] = await Promise.all([home.run(["workbench", "list"]), home.run(["runs", "list"])]);
    expect([first.code, second.code]).toEqual([0, 0]);
    expect(first.stderr + second.stderr).toContain("benchtop down");
    await home.ok("down");
  });

  test("a remote daemon is used through BENCHTOP_URL and BENCHTOP_TOKEN, and sent the bytes of files", async () => {
    await using elsewhere = await Home.create();
    const { url, token } = (await elsewhere.ok("up", "--detach", "--json")).json as { url: string; token: string };
    const remote = { BENCHTOP_URL: url, BENCHTOP_TOKEN: token };
    await home.write({ "site/index.html": "<p>hello</p>\n", "site/css/style.css": "p {}\n" });
    expect((await home.run(["workbench", "create", "site", "--add", "site"], remote)).stderr).toBe("");
    expect(await elsewhere.published()).toEqual({ "index.html": "<p>hello</p>\n", "css/style.css": "p {}\n" });
    expect((await home.run(["down"], remote)).code).toBe(2);
    expect((await home.run(["workbench", "list"], { ...remote, BENCHTOP_TOKEN: "wrong" })).code).toBe(5);
    expect((await home.run(["workbench", "list"], { BENCHTOP_URL: url })).code).toBe(5);
  });

  test("wrong usage exits with 2, with --json as JSON", async () => {
    expect((await home.run(["workbench", "creat"])).code).toBe(2);
    const missing = await home.run(["run", "hello", "--json"]);
    expect([missing.code, missing.error().error_code]).toEqual([2, "VALIDATION_FAILED"]);
    expect((await home.run(["up", "--port", "70000"])).stderr).toContain("0 to 65535");
    expect((await home.run(["call", "no.such", "--json"])).error().message).toContain("no.such");
  });

  test("call reaches any operation of the registry", async () => {
    await home.ok("call", "workbenches.create", "--input", '{"name":"by call"}');
    const list = await home.ok("call", "workbenches.list");
    expect(list.json).toMatchObject({ items: [{ name: "by call" }] });
    const refused = await home.run(["call", "workbenches.create", "--input", '{"name":""}', "--json"]);
    expect([refused.code, refused.error().error_code]).toEqual([2, "VALIDATION_FAILED"]);
  });
});
