import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isOurProcess } from "../../apps/cli/src/daemon/find.ts";
import { makeAuthority, type TestAuthority } from "../../packages/egress/test/certificates.ts";
import { connectProxy } from "../../packages/egress/test/servers.ts";
import { startModelServer, type ModelServer } from "../model-server.ts";
import { finished, Home, prints } from "./home.ts";

/**
 * A model on another machine, as far as Benchtop can tell: `https://models.example`, reached by the configured proxy,
 * with a certificate of the configured authority. The tunnel ends at a model server of this machine.
 */
let home: Home;
let authority: TestAuthority;
let server: ModelServer;
let proxy: Awaited<ReturnType<typeof connectProxy>>;

const model = "far/gpt-5.2";
const ask = (...more: string[]) => ["ask", "budget", "add a summary.md", "--model", model, "--json", ...more];

beforeEach(async () => {
  home = await Home.create();
  authority = makeAuthority();
  server = await startModelServer({ apiKey: "sk-loopback", tls: authority.issue("models.example") });
  proxy = await connectProxy(server.port);
  const caFile = join(home.folder, "authority.pem");
  await writeFile(caFile, authority.ca);
  home.env["BENCHTOP_CA_FILE"] = caFile;
  home.env["BENCHTOP_PROXY"] = `http://127.0.0.1:${proxy.port}`;
  await home.write({ "notes.md": "# Notes\n" });
  await home.ok("workbench", "create", "budget", "--add", "notes.md");
  const url = "https://models.example/v1";
  await home.ok("providers", "add", "far", "--kind", "openai-chat", "--base-url", url, "--api-key-env", "MODEL_KEY");
});

afterEach(async () => {
  await home[Symbol.asyncDispose]();
  await proxy.close();
  await server.close();
});

describe("S7 a model on another machine", () => {
  test("is asked with the consent of a person, and the log says what was sent where", async () => {
    const asked = await home.run(ask("--consent", "once"));
    expect(asked.stderr).toBe("");
    expect(asked.events().at(-1)?.type).toBe("Completed");
    expect(new Set(proxy.asked)).toEqual(new Set(["models.example:443"]));

    const log = await home.ok("egress", "--json");
    expect(log.json).toMatchObject({
      items: expect.arrayContaining([
        expect.objectContaining({ purpose: "model-call", outcome: "sent", host: "models.example", providerId: "far" }),
      ]),
    });
    expect(log.stdout).not.toContain("# Notes");
  });

  test("sees nothing without it: no connection is made, and the run says what is missing", async () => {
    const asked = await home.run(ask());
    expect(asked.code).toBe(6);
    expect(asked.events().map((event) => event.type)).toEqual(["RunStarted", "ConsentRequired", "Error"]);
    expect(proxy.connections()).toBe(0);
    expect(server.connections).toBe(0);
  });

  test("is consented to once: the next run asks again", async () => {
    expect((await home.run(ask("--consent", "once"))).code).toBe(0);
    const requests = server.requests.length;
    expect((await home.run(ask())).code).toBe(6);
    expect(server.requests).toHaveLength(requests);
  });

  test("is not asked again after a crash when the consent was for that run alone; a fork goes on with a new one", async () => {
    const words = ["run", "count to 300", "--model", "far/slow", "--run-id", "once", "--json", "--consent", "once"];
    const child = home.start(words);
    const ended = finished(child);
    await prints(child, /"OutputDelta"[\s\S]*"OutputDelta"/);
    const requests = server.requests.length;
    process.kill(home.pid, "SIGKILL");
    child.kill("SIGKILL");
    await ended;
    const shown = await home.ok("runs", "events", "once", "--json");
    expect(shown.events().at(-1)).toMatchObject({
      type: "Error",
      error: {
        error_code: "RUN_INTERRUPTED",
        actions: ["resume", "retry"],
        detail: { reason: "EGRESS_CONSENT_REQUIRED" },
      },
    });
    expect(server.requests).toHaveLength(requests);

    const refused = await home.run(["runs", "fork", "once", "--json"]);
    expect([refused.code, refused.error().error_code]).toEqual([6, "EGRESS_CONSENT_REQUIRED"]);
    expect(server.requests).toHaveLength(requests);
    const forked = await home.ok("runs", "fork", "once", "--model", model, "--consent", "once", "--json");
    expect(forked.events().at(-1)?.type).toBe("Completed");
  });

  test("goes on by itself after a crash where the consent was kept", async () => {
    const child = home.start(["ask", "budget", "write 30 notes", "--model", model, "--json", "--consent", "always"]);
    const ended = finished(child);
    await prints(child, /"DraftChanged"/);
    const { port } = new URL(
      (JSON.parse(await readFile(join(home.home, "daemon.json"), "utf8")) as { url: string }).url,
    );
    const { pid } = home;
    process.kill(pid, "SIGKILL");
    await expect.poll(() => isOurProcess(pid), { timeout: 20_000 }).toBe(false);
    await home.ok("up", "--detach", "--json", "--port", port);
    const events = (await ended).events();
    expect(events.find((event) => event.type === "Resumed")).toMatchObject({ reason: "crash" });
    expect(events.at(-1)?.type).toBe("Completed");
  });

  test("is consented to always, until a file is added that the person has not agreed to", async () => {
    expect((await home.run(ask("--consent", "always"))).code).toBe(0);
    expect((await home.run(ask())).code).toBe(0);
    await home.ok("draft", "discard", "budget");
    await home.write({ "secret.md": "not for others\n" });
    await home.ok("workbench", "add", "budget", "secret.md");
    const requests = server.requests.length;
    expect((await home.run(ask())).code).toBe(6);
    expect(server.requests).toHaveLength(requests);
  });
});

test("the status names the proxy, without its password", async () => {
  await home.ok("down");
  home.env["BENCHTOP_PROXY"] = `http://someone:hunter2@127.0.0.1:${proxy.port}`;
  await home.ok("workbench", "list");
  const status = await home.ok("status", "--json");
  expect(status.json).toMatchObject({
    otherConnections: [{ purpose: "proxy to model providers", target: `http://127.0.0.1:${proxy.port}/` }],
  });
});

test.each([
  ["BENCHTOP_CA_FILE", "/nowhere/ca.pem", /cannot be read/],
  ["BENCHTOP_CA_FILE", import.meta.filename, /no certificate in PEM form/],
  ["BENCHTOP_PROXY", "socks5://someone:hunter2@127.0.0.1:9", /no URL such as/],
])("a wrong %s (%s) stops the start with a plain word", async (name, value, message) => {
  await home.ok("down");
  const started = await home.run(["up", "--json", "--no-open"], { [name]: value });
  expect(started.code).not.toBe(0);
  expect(started.error().message).toMatch(message);
  expect(started.stderr).not.toContain("hunter2");
});
