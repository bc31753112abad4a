import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestDaemon, type TestDaemon } from "../../test/test-daemon.ts";

let folder: string;
let daemon: TestDaemon;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-console-"));
  const dist = join(folder, "dist");
  await mkdir(join(dist, "assets"), { recursive: true });
  await writeFile(join(folder, "secret.txt"), "secret");
  await writeFile(join(dist, "index.html"), "<!doctype html><title>console</title>");
  await writeFile(join(dist, "assets", "app-1a2b.js"), "export {};");
  await writeFile(join(dist, "assets", "app-1a2b.js.br"), "brotli bytes");
  await writeFile(join(dist, "assets", "app-1a2b.js.gz"), "gzip bytes");
  await writeFile(join(dist, "icon.svg"), "<svg/>");
  await symlink(join(folder, "secret.txt"), join(dist, "assets", "link.txt"));
  daemon = await startTestDaemon({ consoleDir: dist });
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const page = (path: string, headers: Record<string, string> = {}) =>
  daemon.raw(path, { headers: { host: `127.0.0.1:${daemon.port}`, accept: "text/html", ...headers } });

const asset = (encoding: string) => page("/assets/app-1a2b.js", { "accept-encoding": encoding });

test("the page and every address of a view answer with index.html, under a strict policy", async () => {
  for (const path of ["/", "/index.html", "/workbenches/budget.v2", "/runs/run_1?event=3"]) {
    const { status, headers, body } = await page(path);
    expect({ path, status, body }).toEqual({ path, status: 200, body: "<!doctype html><title>console</title>" });
    expect(headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(headers["cache-control"]).toBe("no-cache");
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["referrer-policy"]).toBe("no-referrer");
    const policy = String(headers["content-security-policy"]);
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/script-src|unsafe-eval|\*/);
  }
});

test("hashed assets are kept for ever, compressed as the browser can", async () => {
  expect(await asset("gzip, deflate, br")).toMatchObject({
    body: "brotli bytes",
    headers: { "content-encoding": "br" },
  });
  expect(await asset("gzip")).toMatchObject({ body: "gzip bytes", headers: { "content-encoding": "gzip" } });
  const plain = await asset("identity");
  expect(plain.body).toBe("export {};");
  expect(plain.headers["content-encoding"]).toBeUndefined();
  expect(plain.headers["cache-control"]).toBe("public, max-age=31536000, immutable");
  expect(plain.headers["content-type"]).toBe("text/javascript; charset=utf-8");
});

test("what did not change is not sent again", async () => {
  const { headers } = await page("/icon.svg");
  const again = await page("/icon.svg", { "if-none-match": String(headers["etag"]) });
  expect(again).toMatchObject({ status: 304, body: "" });
});

test.each([
  "/../secret.txt",
  "/..%2fsecret.txt",
  "/%2e%2e/secret.txt",
  "/%2e%2e%2fsecret.txt",
  "/assets/../../secret.txt",
  "/assets/..%5c..%5csecret.txt",
  "/assets/%252e%252e/secret.txt",
  "//etc/passwd",
  "/assets//etc/passwd",
  "/assets/link.txt",
  "/assets/app-1a2b.js%00.html",
  "/assets/app-1a2b.js.br",
  "/assets/missing.js",
])("%s reaches no file", async (path) => {
  const script = await page(path, { accept: "*/*" });
  expect(script.status).toBe(404);
  const { body } = await page(path);
  expect(body).not.toMatch(/secret$|root:|export|brotli/);
});

test("another method than GET is refused", async () => {
  const response = await daemon.fetch("/index.html", { method: "POST" });
  expect(response.status).toBe(405);
});

test("a console that was built again is served without a restart", async () => {
  await writeFile(join(folder, "dist", "assets", "app-9z9z.js"), "new");
  await utimes(join(folder, "dist", "index.html"), new Date(), new Date(Date.now() + 5000));
  expect((await page("/assets/app-9z9z.js")).body).toBe("new");
});

test("where the console is not built, the page says how to build it", async () => {
  await using bare = await startTestDaemon({ consoleDir: join(folder, "nowhere") });
  const response = await bare.fetch("/", { token: null });
  expect(response.status).toBe(200);
  expect(await response.text()).toContain("npm run build");
});
