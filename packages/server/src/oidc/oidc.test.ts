import { generateKeyPairSync } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Identity } from "@benchtop/operations";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  signInAt,
  startOidcProvider,
  startScriptedIssuer,
  type ScriptedIssuer,
  type TestIssuer,
} from "../../test/identity-providers.ts";
import { startTestDaemon, type TestDaemon } from "../../test/test-daemon.ts";

/** A browser at the console of one daemon: its cookies, and nothing else of it. */
class Browser {
  readonly cookies = new Map<string, string>();
  readonly daemon: TestDaemon;

  constructor(daemon: TestDaemon) {
    this.daemon = daemon;
  }

  async post(path: string, body: object): Promise<{ status: number; body: Record<string, never>; lines: string[] }> {
    const response = await this.daemon.fetch(path, {
      token: null,
      method: "POST",
      headers: {
        "content-type": "application/json",
        origin: this.daemon.url,
        cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; "),
      },
      body: JSON.stringify(body),
    });
    const lines = response.headers.getSetCookie();
    for (const line of lines) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === "") this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return { status: response.status, body: (await response.json()) as Record<string, never>, lines };
  }

  async start(name = "team", invitation?: string): Promise<string> {
    const { status, body } = await this.post(
      `/api/v1/sign-in/oidc/${name}`,
      invitation === undefined ? {} : { invitation },
    );
    if (status !== 200) throw new Error(JSON.stringify(body));
    return body["url"] ?? "";
  }

  finish(parameters: string) {
    return this.post("/api/v1/sign-in/oidc", { parameters });
  }

  async whoami(): Promise<Identity | undefined> {
    const response = await this.daemon.fetch("/api/v1/whoami", {
      token: null,
      headers: { cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
    });
    return response.ok ? ((await response.json()) as Identity) : undefined;
  }
}

let folder: string;
let open: AsyncDisposableStack;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-oidc-"));
  open = new AsyncDisposableStack();
});
afterEach(async () => {
  await open.disposeAsync();
  await rm(folder, { recursive: true, force: true });
});

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

async function daemonWith(oidc: readonly object[], port = 0): Promise<TestDaemon> {
  const home = join(folder, `home-${Math.random().toString(36).slice(2)}`);
  await mkdir(home, { mode: 0o700 });
  await writeFile(join(home, "config.json"), JSON.stringify({ oidc }));
  return open.use(await startTestDaemon({ home, port, configDir: join(folder, "config") }));
}

const team = (issuer: string, more: object = {}): object => ({
  name: "team",
  displayName: "The Team",
  issuer,
  clientId: "benchtop",
  local: true,
  ...more,
});

async function invite(daemon: TestDaemon, input: object = { role: "editor" }): Promise<string> {
  const response = await daemon.fetch("/api/v1/invitations", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(input),
  });
  expect(response.status).toBe(201);
  return new URL(((await response.json()) as { url: string }).url).hash.replace("#invitation=", "");
}

const egressOf = async (
  daemon: TestDaemon,
): Promise<{ purpose: string; host: string; outcome: string; method: string }[]> =>
  ((await (await daemon.fetch("/api/v1/egress/events")).json()) as { items: never[] }).items;

describe("W22 with a real OpenID provider", () => {
  const accounts = {
    ada: { email: "ada@team.example", email_verified: true, name: "Ada" },
    unverified: { email: "boss@team.example", email_verified: false, name: "Not the boss" },
    stranger: { email: "eve@elsewhere.example", email_verified: true, name: "Eve" },
  };
  let provider: TestIssuer;
  let daemon: TestDaemon;

  async function setUp(more: object = {}, clientSecret?: string): Promise<void> {
    const port = await freePort();
    provider = open.use(
      await startOidcProvider({
        redirectUri: `http://127.0.0.1:${port}/sign-in/oidc`,
        accounts,
        ...(clientSecret !== undefined && { clientSecret }),
      }),
    );
    daemon = await daemonWith([team(provider.issuer, more)], port);
  }

  test("W22 an invited person signs in, is themselves the next time, and every request to the provider is in the egress log", async () => {
    await setUp();
    const methods = await daemon.fetch("/api/v1/sign-in/methods", { token: null });
    expect(await methods.json()).toEqual({ oidc: [{ name: "team", displayName: "The Team" }] });
    const browser = new Browser(daemon);
    const url = await browser.start("team", await invite(daemon));
    const { status, body } = await browser.finish(await signInAt(url, "ada"));
    expect({ status, error: body["error"] }).toEqual({ status: 200 });
    expect(body).toMatchObject({ displayName: "Ada", email: "ada@team.example", role: "editor", via: "sign-in" });
    expect((await browser.whoami())?.userId).toBe(body["userId"]);

    const again = new Browser(daemon);
    const second = await again.finish(await signInAt(await again.start(), "ada"));
    expect(second.body["userId"]).toBe(body["userId"]);

    const host = new URL(provider.issuer).host;
    const egress = (await egressOf(daemon)).filter(({ purpose }) => purpose === "oidc");
    expect(egress.length).toBeGreaterThanOrEqual(4);
    expect(egress.every((event) => event.host === host && event.outcome === "sent")).toBe(true);
    const asked = provider.requests.filter((request) => /token|jwks|openid-configuration|\/me$/.test(request));
    expect(asked.length).toBe(egress.length);
  });

  test("W22 a client with a secret shows it to the provider, and to nobody else", async () => {
    process.env["TEST_OIDC_SECRET"] = "planted-client-secret";
    open.defer(() => void delete process.env["TEST_OIDC_SECRET"]);
    await setUp({ clientSecretEnv: "TEST_OIDC_SECRET" }, "planted-client-secret");
    const browser = new Browser(daemon);
    const url = await browser.start("team", await invite(daemon));
    expect(url).not.toContain("planted");
    expect((await browser.finish(await signInAt(url, "ada"))).status).toBe(200);
    const log = await readFile(join(daemon.home, "daemon.log"), "utf8").catch(() => "");
    expect(log).not.toContain("planted-client-secret");
  });

  test("W22 who is known to the provider and to nobody here is refused, and nothing is made of them", async () => {
    await setUp();
    const browser = new Browser(daemon);
    const { status, body } = await browser.finish(await signInAt(await browser.start(), "stranger"));
    expect(status).toBe(403);
    expect(body).toMatchObject({ error: { error_code: "PERMISSION_DENIED" } });
    expect(await browser.whoami()).toBeUndefined();
    const { items } = (await (await daemon.fetch("/api/v1/audit?event=sign-in.failed")).json()) as { items: object[] };
    expect(items).toHaveLength(1);
  });

  test("W22 people of the team's domain join by themselves where that is configured, with a verified address alone", async () => {
    await setUp({ allowedDomains: ["team.example"], defaultRole: "viewer" });
    const ada = new Browser(daemon);
    expect((await ada.finish(await signInAt(await ada.start(), "ada"))).body).toMatchObject({ role: "viewer" });
    for (const login of ["unverified", "stranger"]) {
      const browser = new Browser(daemon);
      const { status } = await browser.finish(await signInAt(await browser.start("team", await invite(daemon)), login));
      expect(status).toBe(403);
    }
  });

  test("W22 an invitation that names an address is not taken with one that is not verified", async () => {
    await setUp();
    const invitation = await invite(daemon, { role: "admin", email: "boss@team.example" });
    const browser = new Browser(daemon);
    const { status } = await browser.finish(await signInAt(await browser.start("team", invitation), "unverified"));
    expect(status).toBe(403);
  });
});

describe("W22 with an issuer that lies", () => {
  let issuer: ScriptedIssuer;
  let daemon: TestDaemon;
  beforeEach(async () => {
    issuer = open.use(await startScriptedIssuer());
    daemon = await daemonWith([team(issuer.issuer, { allowedDomains: ["team.example"], defaultRole: "viewer" })]);
  });

  test("W22 it signs people in while it tells the truth, and after it has changed its key", async () => {
    for (let round = 0; round < 2; round++) {
      const browser = new Browser(daemon);
      const { status, body, lines } = await browser.finish(issuer.answerTo(await browser.start()));
      expect({ status, error: body["error"] }).toEqual({ status: 200 });
      expect(lines.join("\n")).toMatch(/benchtop_oidc=;.*Max-Age=0/);
      issuer.rotate();
    }
  });

  test.for<[string, () => void]>([
    ["for another sign-in (nonce)", () => (issuer.tamper = { nonce: "of-another" })],
    ["without a nonce", () => (issuer.tamper = { nonce: undefined })],
    ["that has expired", () => (issuer.tamper = { exp: now() - 3600, iat: now() - 7200 })],
    ["that never expires", () => (issuer.tamper = { exp: undefined })],
    ["for another client", () => (issuer.tamper = { aud: "another-client" })],
    ["for several, with another in charge", () => (issuer.tamper = { aud: ["benchtop", "other"], azp: "other" })],
    ["of another issuer", () => (issuer.tamper = { iss: "https://other.example" })],
    ["without a subject", () => (issuer.tamper = { sub: undefined })],
    ["without a signature", () => (issuer.signing = { ...issuer.signing, alg: "none" })],
    [
      "signed with a key that is not its own",
      () =>
        (issuer.signing = { ...issuer.signing, key: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey }),
    ],
    ["signed with a key that it does not publish", () => (issuer.signing = { ...issuer.signing, kid: "unknown" })],
  ])("W22 an ID token %s signs nobody in", async ([, lie]) => {
    const browser = new Browser(daemon);
    const url = await browser.start();
    lie();
    const answer = await browser.finish(issuer.answerTo(url));
    expect(answer.status).toBe(401);
    expect(answer.body).toMatchObject({ error: { error_code: "AUTH_REQUIRED", actions: ["retry"] } });
    expect(reasonOf(answer)).toMatch(/^OAUTH_/);
    expect(JSON.stringify(answer.body)).not.toMatch(/planted|mallory|eyJ/);
    expect(await browser.whoami()).toBeUndefined();
  });

  test("W22 what another browser began is not finished here, and nothing that was finished is finished again", async () => {
    const victim = new Browser(daemon);
    const attacker = new Browser(daemon);
    const attackers = issuer.answerTo(await attacker.start());
    // Login CSRF: the attacker's code and state, posted by a browser that began nothing, or something else.
    expect((await victim.finish(attackers)).status).toBe(401);
    await victim.start();
    expect((await victim.finish(attackers)).status).toBe(401);
    expect(await victim.whoami()).toBeUndefined();
    // Code injection: a stolen code with a state of one's own meets the verifier of another sign-in.
    const own = new URLSearchParams(issuer.answerTo(await victim.start()));
    own.set("code", new URLSearchParams(attackers).get("code") ?? "");
    expect((await victim.finish(own.toString())).status).toBe(401);
    const finished = issuer.answerTo(await attacker.start());
    // Replay: once, and the cookie is worth nothing any more, also where it was kept.
    const kept = attacker.cookies.get("benchtop_oidc") ?? "";
    expect((await attacker.finish(finished)).status).toBe(200);
    const replay = new Browser(daemon);
    replay.cookies.set("benchtop_oidc", kept);
    expect((await replay.finish(finished)).status).toBe(401);
  });

  test("W22 answers with a changed state, another issuer, two states, or an error sign nobody in", async () => {
    for (const edit of [
      (parameters: URLSearchParams) => parameters.set("state", "x".repeat(43)),
      (parameters: URLSearchParams) => parameters.delete("state"),
      (parameters: URLSearchParams) => parameters.append("state", parameters.get("state") ?? ""),
      // Mix-up (RFC 9207): the answer says that it comes from somebody else.
      (parameters: URLSearchParams) => parameters.set("iss", "https://other.example"),
      (parameters: URLSearchParams) => parameters.delete("iss"),
      (parameters: URLSearchParams) => parameters.delete("code"),
    ]) {
      expect((await finishChanged(daemon, issuer, edit)).status).toBe(401);
    }
    const declined = await finishChanged(daemon, issuer, (parameters) => {
      parameters.delete("code");
      parameters.set("error", "access_denied");
      parameters.set("error_description", "<script>planted</script>");
    });
    expect(declined.status).toBe(401);
    expect(reasonOf(declined)).toBe("access_denied");
    expect(JSON.stringify(declined.body)).not.toContain("planted");
  });

  test("W22 a cookie that we did not make is no sign-in", async () => {
    const browser = new Browser(daemon);
    const parameters = issuer.answerTo(await browser.start());
    const cookie = browser.cookies.get("benchtop_oidc") ?? "";
    const [body = "", mac = ""] = cookie.split(".");
    for (const forged of [
      `${body}.${"A".repeat(43)}`,
      `${body}x.${mac}`,
      body,
      `${body}.${mac}.x`,
      "a".repeat(600),
      `.${mac}`,
    ]) {
      const other = new Browser(daemon);
      other.cookies.set("benchtop_oidc", forged);
      expect((await other.finish(parameters)).status).toBe(401);
    }
  });

  test("W22 the cookie of a sign-in is the browser's alone, for ten minutes", async () => {
    const browser = new Browser(daemon);
    const { lines } = await browser.post("/api/v1/sign-in/oidc/team", {});
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^benchtop_oidc=[\w.-]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=600$/);
  });

  test("W22 over TLS the cookie is one that nobody else can set, and the address of return is the one that was asked for", async () => {
    const home = join(folder, "public");
    await mkdir(home, { mode: 0o700 });
    await writeFile(join(home, "config.json"), JSON.stringify({ oidc: [team(issuer.issuer)] }));
    const publicUrls = ["https://bench.example"];
    const there = open.use(await startTestDaemon({ home, configDir: join(folder, "config"), publicUrls }));
    const headers = { "content-type": "application/json", host: "bench.example", origin: "https://bench.example" };
    const begun = await there.raw("/api/v1/sign-in/oidc/team", { method: "POST", headers, body: "{}" });
    expect(begun.headers["set-cookie"]).toEqual([
      expect.stringMatching(/^__Host-benchtop_oidc=.*; Path=\/; .*; Secure$/),
    ]);
    const { url } = JSON.parse(begun.body) as { url: string };
    expect(new URL(url).searchParams.get("redirect_uri")).toBe("https://bench.example/sign-in/oidc");
    expect(new URL(url).searchParams.get("code_challenge_method")).toBe("S256");
  });

  test("W22 a discovery document leads to no host that nobody named", async () => {
    for (const discovery of [
      { token_endpoint: "http://127.0.0.1:1/token" },
      { jwks_uri: "http://127.0.0.1:1/jwks" },
      { token_endpoint: "https://collector.example/token" },
      { token_endpoint: "http://169.254.169.254/latest" },
    ]) {
      const other = open.use(await startScriptedIssuer());
      other.discovery = discovery;
      const there = await daemonWith([team(other.issuer)]);
      const browser = new Browser(there);
      const answer = await browser.finish(other.answerTo(await browser.start()));
      expect(answer.body).toMatchObject({ error: { error_code: "EGRESS_BLOCKED_BY_POLICY" } });
    }
    issuer.discovery = { authorization_endpoint: "https://phishing.example/auth" };
    const fresh = await daemonWith([team(issuer.issuer)]);
    const { status, body } = await new Browser(fresh).post("/api/v1/sign-in/oidc/team", {});
    expect(status).toBe(502);
    expect(JSON.stringify(body)).toContain("phishing.example");
  });

  test("W22 a discovery document of another issuer is not believed", async () => {
    issuer.discovery = { issuer: "https://other.example" };
    const { status, body } = await new Browser(daemon).post("/api/v1/sign-in/oidc/team", {});
    expect(status).toBe(401);
    expect(body).toMatchObject({ error: { detail: { reason: expect.stringMatching(/^OAUTH_/) as string } } });
  });

  test("W22 tokens are not sent after a redirect, and what a provider answers in an error is not repeated", async () => {
    for (const answer of [
      { status: 307, body: "", location: "http://127.0.0.1:1/steal" },
      { status: 400, body: JSON.stringify({ error: "invalid_grant", error_description: "planted" }) },
      { status: 500, body: "planted" },
      { status: 200, body: "{" },
      { status: 200, body: JSON.stringify({ access_token: "planted", token_type: "Bearer" }) },
    ]) {
      const browser = new Browser(daemon);
      const url = await browser.start();
      issuer.token = () => answer;
      const { status, body } = await browser.finish(issuer.answerTo(url));
      issuer.token = undefined;
      expect([401, 502, 403]).toContain(status);
      expect(JSON.stringify(body)).not.toContain("planted");
      expect(body).not.toMatchObject({ error: { error_code: "INTERNAL" } });
    }
  });
});

/** A sign-in whose answer somebody changes on its way. */
async function finishChanged(
  daemon: TestDaemon,
  issuer: ScriptedIssuer,
  edit: (parameters: URLSearchParams) => void,
): Promise<{ status: number; body: object }> {
  const browser = new Browser(daemon);
  const parameters = new URLSearchParams(issuer.answerTo(await browser.start()));
  edit(parameters);
  return await browser.finish(parameters.toString());
}

function reasonOf(answer: { readonly body: object }): unknown {
  return (answer.body as { error?: { detail?: { reason?: unknown } } }).error?.detail?.reason;
}

const now = (): number => Math.floor(Date.now() / 1000);

test("W22 an issuer that is down is said to be, with what can be done meanwhile", async () => {
  const port = await freePort();
  const daemon = await daemonWith([team(`http://127.0.0.1:${port}`)]);
  const { status, body } = await new Browser(daemon).post("/api/v1/sign-in/oidc/team", {});
  expect(status).toBe(502);
  expect(body).toMatchObject({ error: { error_code: "PROVIDER_UNAVAILABLE", actions: ["retry"], retryable: true } });
  expect(JSON.stringify(body)).toMatch(/The Team .* cannot be reached/);
  const unknown = await new Browser(daemon).post("/api/v1/sign-in/oidc/nobody", {});
  expect(unknown.status).toBe(404);
});

test.for<[string, object, RegExp]>([
  ["http:// to elsewhere", { issuer: "http://id.example", local: false }, /oidc\.0\.issuer: .*only https/],
  ["loopback that is not said to be meant", { issuer: "https://localhost:8443", local: false }, /local: true/],
  ["an address in the place of a name", { issuer: "https://10.0.0.5", local: false }, /IP address/],
  ["a local issuer that is not", { issuer: "http://id.example" }, /loopback/],
  ["a secret that is not there", { clientSecretEnv: "NO_SUCH_SECRET_HERE" }, /NO_SUCH_SECRET_HERE, which is empty/],
  ["a secret in the file", { clientSecret: "planted" }, /clientSecret/],
  ["membership for everybody", { defaultRole: "viewer" }, /needs allowedDomains/],
  ["owners by themselves", { defaultRole: "owner", allowedDomains: ["a.example"] }, /defaultRole/],
])("W22 a configuration with %s stops the start, in words", async ([, more, message]) => {
  const starting = daemonWith([team("http://127.0.0.1:9", more)]);
  await expect(starting).rejects.toThrow(message);
  await expect(starting).rejects.not.toThrow(/planted/);
});
