import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeAuthority } from "../../packages/egress/test/certificates.ts";
import { finished, Home } from "./home.ts";

/** Two machines: what somebody types at one of them goes to the daemon of the other. */
let here: Home;
let elsewhere: Home;
let url: string;
let bootstrapToken: string;
beforeAll(async () => {
  [here, elsewhere] = await Promise.all([Home.create(), Home.create()]);
  ({ url, token: bootstrapToken } = (await elsewhere.ok("up", "--detach", "--json", "--no-open")).json as {
    url: string;
    token: string;
  });
});
afterAll(async () => {
  await here[Symbol.asyncDispose]();
  await elsewhere[Symbol.asyncDispose]();
});

const credentialsFile = (home: Home) => join(home.folder, "config", "benchtop", "credentials.json");
const keptBy = (home: Home) => readFile(credentialsFile(home), "utf8");

async function runWith(home: Home, words: string[], input: string, env: NodeJS.ProcessEnv = {}) {
  const child = home.start(words, env);
  // A command that refuses before it reads closes its end first.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  return await finished(child);
}

describe("P1.4 logging in to a daemon elsewhere", () => {
  test("keeps a token that the daemon knows, for this user's eyes alone, and later commands go there", async () => {
    const loggedIn = await runWith(here, ["login", url], `${bootstrapToken}\n`);
    expect(loggedIn.stdout).toContain(`Logged in at ${url} as `);
    expect(loggedIn.stdout + loggedIn.stderr).not.toContain(bootstrapToken);
    expect(JSON.parse(await keptBy(here))).toMatchObject({
      current: url,
      daemons: { [url]: { token: bootstrapToken } },
    });
    expect((await stat(credentialsFile(here))).mode & 0o777).toBe(0o600);

    await here.write({ "notes.md": "# Notes\n" });
    await here.ok("workbench", "create", "from-afar", "--add", "notes.md");
    expect((await elsewhere.ok("workbench", "list")).stdout).toContain("from-afar");
    expect((await here.ok("whoami", "--json")).json).toMatchObject({ url, operator: true });
    expect((await here.ok("status")).stdout).toContain("You are logged in there");

    expect((await here.ok("logout")).stdout).toContain(`Logged out of ${url}`);
    expect(await keptBy(here)).not.toContain(bootstrapToken);
    expect((await here.run(["status", "--json"])).json).toMatchObject({ running: false });
  });

  test("takes the token from a variable, and never from an argument", async () => {
    const env = { TEAM_TOKEN: bootstrapToken };
    expect((await here.run(["login", url, "--token-env", "TEAM_TOKEN", "--json"], env)).json).toMatchObject({
      userId: "owner",
      url,
    });
    for (const words of [["--token", bootstrapToken], [`--token=${bootstrapToken}`]]) {
      expect((await here.run(["login", url, ...words])).code).toBe(2);
    }
    await here.ok("logout");
  });

  test.each([
    ["a wrong token", "bt_wrong", 5, "AUTH_REQUIRED"],
    ["nothing", "", 2, "VALIDATION_FAILED"],
    ["a token that would break out of its header", "abc\r\nbenchtop-workspace: ws_1", 2, "VALIDATION_FAILED"],
    ["something endless", "x".repeat(3_000_000), 2, "VALIDATION_FAILED"],
  ])("keeps nothing of %s", async (_, token, code, errorCode) => {
    const before = await keptBy(here);
    const refused = await runWith(here, ["login", url, "--json"], token);
    expect([refused.code, refused.error().error_code]).toEqual([code, errorCode]);
    expect(refused.stderr.length).toBeLessThan(1000);
    expect(await keptBy(here)).toBe(before);
  });

  test("sends no token over a network without TLS, or to what is no address", async () => {
    let connections = 0;
    const thief = createServer((socket) => {
      connections++;
      socket.destroy();
    });
    await new Promise<void>((done) => thief.listen(0, done));
    const { port } = thief.address() as { port: number };
    for (const target of [
      `http://0.0.0.0:${port}`,
      `http://someone:secret@127.0.0.1:${port}`,
      `http://127.0.0.1:${port}/?a=b`,
      `ftp://127.0.0.1:${port}`,
      "127.0.0.1",
    ]) {
      const refused = await runWith(here, ["login", target, "--json"], bootstrapToken);
      expect([target, refused.code, refused.error().error_code]).toEqual([target, 2, "VALIDATION_FAILED"]);
      expect(refused.stderr).not.toContain("secret@");
    }
    expect(connections).toBe(0);
    await new Promise((done) => thief.close(done));
  });

  test("what another daemon calls itself and says cannot steer the terminal", async () => {
    const hostile = "\u001B]0;owned\u0007\u202E";
    const fake = createHttpServer((request, response) => {
      const refused = { message: hostile, error_code: "NOT_FOUND", phase: "settings", retryable: false, actions: [] };
      const names = { userId: hostile, displayName: hostile, workspaceId: hostile, workspaceName: hostile };
      const identity = { ...names, email: hostile, kind: "person", role: hostile, operator: false, via: hostile };
      const ok = request.url === "/api/v1/whoami";
      response.writeHead(ok ? 200 : 404, { "content-type": "application/json" });
      response.end(
        JSON.stringify(ok ? { ...identity, permissions: [hostile], keyId: null, signInId: null } : { error: refused }),
      );
    });
    await new Promise<void>((done) => fake.listen(0, "127.0.0.1", done));
    const { port } = fake.address() as { port: number };
    const shown = [
      await runWith(here, ["login", `http://127.0.0.1:${port}`], "some-token"),
      await here.ok("whoami"),
      await here.run(["workspaces", "list"]),
      await here.ok("logout"),
    ];
    await new Promise((done) => fake.close(done));
    expect(shown[0]?.stdout).toContain("Logged in at");
    expect(shown[2]?.code).toBe(1);
    for (const { stdout, stderr } of shown)
      expect((stdout + stderr).replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202E]/u);
  });

  test("what BENCHTOP_URL names comes before what was logged in to, and this machine last", async () => {
    await runWith(here, ["login", url], bootstrapToken);
    const environment = { BENCHTOP_URL: "http://127.0.0.1:9", BENCHTOP_TOKEN: "t" };
    const away = await here.run(["whoami", "--json"], environment);
    expect(away.error().error_code).toBe("NETWORK_UNAVAILABLE");
    const noToken = await here.run(["whoami", "--json"], { BENCHTOP_URL: "http://127.0.0.1:9" });
    expect([noToken.code, noToken.error().error_code]).toEqual([5, "AUTH_REQUIRED"]);
    // The token is kept by address, so naming the address is enough.
    expect((await here.run(["whoami", "--json"], { BENCHTOP_URL: `${url}/` })).json).toMatchObject({ url });
    await here.ok("logout");
  });

  test("credentials that others can read, or that are damaged, are not used and say what to do", async () => {
    await runWith(here, ["login", url], bootstrapToken);
    await chmod(credentialsFile(here), 0o644);
    const open = await here.run(["whoami", "--json"]);
    expect([open.code, open.error().message]).toEqual([1, expect.stringContaining("chmod 600")]);
    await chmod(credentialsFile(here), 0o600);
    await writeFile(credentialsFile(here), '{"current":"https://evil.example","daemons":[]}');
    const damaged = await here.run(["whoami", "--json"]);
    expect([damaged.code, damaged.error().error_code]).toEqual([1, "FILE_READ_FAILED"]);
    await writeFile(credentialsFile(here), '{"current":null,"daemons":{},"homes":{}}');
  });
});

describe("P1.4 keys", () => {
  let secret: string;

  test("a key is printed once, alone, and may do what it was made for", async () => {
    const made = await elsewhere.ok("keys", "create", "reports", "--read", "--expires", "30d");
    secret = made.stdout.trim();
    expect(made.stdout).toMatch(/^\S{20,}\n$/);
    expect(made.stderr).toMatch(/This is the key reports \(key_\w+\)\. It is not shown again, and expires on/);

    const env = { BENCHTOP_URL: url, BENCHTOP_TOKEN: secret };
    expect((await here.run(["workbench", "list", "--json"], env)).code).toBe(0);
    const refused = await here.run(["workbench", "create", "mine"], env);
    expect(refused.code).toBe(5);
    expect(refused.stderr).toContain("workbenches:write");
    expect((await here.run(["status"], env)).stdout).toContain(`runs at ${url}`);
    expect((await here.run(["whoami", "--json"], env)).json).toMatchObject({ via: "api-key", confined: true });
  });

  test("it is nowhere else: no list, no audit, no file of the home", async () => {
    const list = await elsewhere.ok("keys", "list", "--json");
    expect(list.stdout).toContain('"name":"reports"');
    const audit = await elsewhere.ok("audit", "--event", "key.created", "--json");
    expect(audit.stdout).toContain("reports");
    const log = await readFile(join(elsewhere.home, "logs", "benchtop.log"), "utf8").catch(() => "");
    for (const text of [list.stdout, audit.stdout, log]) expect(text).not.toContain(secret);
  });

  test("a revoked one is refused at once", async () => {
    expect((await elsewhere.ok("keys", "revoke", "reports")).stdout).toContain("Revoked reports");
    const refused = await here.run(["whoami", "--json"], { BENCHTOP_URL: url, BENCHTOP_TOKEN: secret });
    expect([refused.code, refused.error().error_code]).toEqual([5, "AUTH_REQUIRED"]);
    expect((await elsewhere.run(["keys", "revoke", "reports", "--json"])).error().error_code).toBe("NOT_FOUND");
  });

  test("a service token has a role of its own, and JSON holds the key beside its description", async () => {
    const words = ["keys", "create", "ci", "--service", "--role", "editor", "--work", "--expires", "never", "--json"];
    const { key, secret: token } = (await elsewhere.ok(...words)).json as { key: object; secret: string };
    expect(key).toMatchObject({ name: "ci", kind: "service", expiresAt: null });
    const who = await here.run(["whoami", "--json"], { BENCHTOP_URL: url, BENCHTOP_TOKEN: token });
    expect(who.json).toMatchObject({ kind: "service", role: "editor" });
  });

  test.each([
    [["keys", "create", "x"], "--read, --work or --scope"],
    [["keys", "create", "x", "--service", "--read"], "--role"],
    [["keys", "create", "x", "--read", "--role", "admin"], "--service"],
    [["keys", "create", "x", "--scope", "everything"], "There is no scope everything"],
    [["keys", "create", "x", "--read", "--expires", "soon"], "number of days"],
  ])("%j is wrong usage", async (words, message) => {
    const refused = await elsewhere.run(words);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});

describe("P1.4 workspaces and members", () => {
  test("a command works in the workspace that it names, and what is in another is not found", async () => {
    await elsewhere.ok("workspaces", "create", "Research");
    await elsewhere.ok("workbench", "create", "secret-plans", "--workspace", "Research");
    expect((await elsewhere.ok("workbench", "list")).stdout).not.toContain("secret-plans");
    expect((await elsewhere.run(["workbench", "open", "secret-plans"])).code).toBe(1);
    expect((await elsewhere.ok("--workspace", "Research", "workbench", "list")).stdout).toContain("secret-plans");
    const env = { BENCHTOP_WORKSPACE: "Research" };
    expect((await elsewhere.run(["workbench", "list"], env)).stdout).toContain("secret-plans");
  });

  test("a workspace that is used stays so until another is", async () => {
    await elsewhere.ok("workspaces", "use", "Research");
    expect((await elsewhere.ok("whoami", "--json")).json).toMatchObject({ workspaceName: "Research" });
    expect((await elsewhere.ok("--workspace", "default", "whoami", "--json")).json).toMatchObject({
      workspaceId: "default",
    });
    await elsewhere.ok("workspaces", "use", "default");
    expect((await elsewhere.ok("whoami", "--json")).json).toMatchObject({ workspaceId: "default" });
    expect((await elsewhere.run(["--workspace", "nowhere", "whoami", "--json"])).error().error_code).toBe("NOT_FOUND");
  });

  test("a key of one workspace is of no use in another", async () => {
    const secret = (await elsewhere.ok("keys", "create", "here-only", "--work")).stdout.trim();
    const { items } = (await elsewhere.ok("workspaces", "list", "--json")).json as {
      items: { workspaceId: string; name: string }[];
    };
    const research = items.find(({ name }) => name === "Research")?.workspaceId ?? "";
    const env = { BENCHTOP_URL: url, BENCHTOP_TOKEN: secret };
    for (const words of [
      ["--workspace", research, "workbench", "list", "--json"],
      ["--workspace", "Research", "workbench", "list", "--json"],
    ]) {
      const refused = await here.run(words, env);
      expect(refused.code).not.toBe(0);
      expect(refused.stdout).toBe("");
    }
    expect((await here.run(["workspaces", "list", "--json"], env)).json).toMatchObject({
      items: [{ workspaceId: "default" }],
    });
  });

  test("people are invited by a link that is printed once, and get and lose what their role gives", async () => {
    const invited = await elsewhere.ok("members", "invite", "--role", "viewer");
    const link = new URL(invited.stdout.trim());
    expect(link.origin).toBe(url);
    const token = link.hash.replace("#invitation=", "");
    const accepted = await fetch(`${url}/api/v1/invitations/accept`, {
      method: "POST",
      headers: { "content-type": "application/json", origin: url },
      body: JSON.stringify({ token, displayName: "Ada" }),
    });
    expect(accepted.status).toBe(200);
    expect((await elsewhere.ok("members", "list")).stdout).toMatch(/Ada +viewer/);
    expect((await elsewhere.ok("members", "role", "Ada", "editor")).stdout).toContain("Ada is editor now.");
    expect((await elsewhere.ok("members", "link", "Ada")).stdout).toContain(`${url}/#token=`);
    expect((await elsewhere.ok("members", "remove", "Ada")).stdout).toContain("Removed Ada");
    expect((await elsewhere.run(["members", "role", "Ada", "admin", "--json"])).error().error_code).toBe("NOT_FOUND");

    await elsewhere.ok("members", "invite", "bo@example.com", "--role", "editor", "--expires", "3d");
    expect((await elsewhere.ok("members", "invitations")).stdout).toContain("bo@example.com");
    await elsewhere.ok("members", "revoke-invitation", "bo@example.com");
    const events = (await elsewhere.ok("audit", "--json")).json as { items: { event: string }[] };
    expect(events.items.map(({ event }) => event)).toEqual(
      expect.arrayContaining([
        "invitation.revoked",
        "invitation.created",
        "member.removed",
        "link.created",
        "member.role-changed",
        "member.added",
        "sign-in.succeeded",
        "key.created",
        "key.revoked",
        "token.refused",
      ]),
    );
  });

  test("a workspace that still holds workbenches is not deleted; an empty one is", async () => {
    expect((await elsewhere.run(["workspaces", "delete", "Research"])).stderr).toContain("workbench");
    await elsewhere.ok("--workspace", "Research", "workbench", "delete", "secret-plans");
    await elsewhere.ok("workspaces", "rename", "Research", "Archive");
    expect((await elsewhere.ok("workspaces", "delete", "Archive")).stdout).toBe("Deleted Archive.\n");
  });
});

describe("P1.4 a daemon with a certificate of its own", () => {
  test("is found and trusted by the commands of its machine, which say what to mind", async () => {
    await using home = await Home.create();
    const authority = makeAuthority();
    const { key, cert } = authority.issue("localhost");
    await home.configure({ auth: "none", tls: { certFile: "cert.pem", keyFile: "key.pem" } });
    await writeFile(join(home.home, "key.pem"), key, { mode: 0o600 });
    await writeFile(join(home.home, "cert.pem"), cert + authority.ca);
    const { url: secured } = (await home.ok("up", "--detach", "--json", "--no-open")).json as { url: string };
    expect(secured).toMatch(/^https:\/\/localhost:/);
    const { stdout } = await home.ok("status");
    expect(stdout).toContain("TLS, with a certificate of its own");
    expect(stdout).toContain("! Nobody has to prove who they are");
    expect(stdout).toContain("(not asked to prove it)");

    // Another machine does not know the authority: it says so, and has sent no token.
    const refused = await runWith(here, ["login", secured, "--json"], "some-token");
    expect([refused.code, refused.error().message]).toEqual([3, expect.stringContaining("is not trusted here")]);
    const file = join(home.folder, "authority.pem");
    await writeFile(file, authority.ca);
    const trusting = await runWith(here, ["login", secured, "--json"], "some-token", { NODE_EXTRA_CA_CERTS: file });
    expect(trusting.json).toMatchObject({ url: secured, via: "none" });
    await here.ok("logout");
  });
});
