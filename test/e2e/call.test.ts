import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { operations } from "../../packages/operations/src/index.ts";
import { finished, Home } from "./home.ts";

let home: Home;
const bytes = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 1, 2, 0xff, 0xfe]);
beforeAll(async () => {
  home = await Home.create();
});
afterAll(() => home[Symbol.asyncDispose]());

const call = (id: string, input: object, ...more: string[]) =>
  home.ok("call", id, "--input", JSON.stringify(input), ...more);

test("W4 every operation is listed with its route and permission", async () => {
  const listed = (await home.ok("call", "--json")).json as { id: string; permission: string }[];
  expect(listed.map(({ id }) => id)).toEqual(Object.keys(operations));
});

test("W4 an operation is described without being called, by its id or its RPC name", async () => {
  const described = await home.ok("call", "KeysCreate", "--describe");
  expect(described.json).toMatchObject({
    id: "keys.create",
    permission: "keys:write",
    input: { type: "object", required: ["name", "scopes"] },
    output: { type: "object", required: ["key", "secret"] },
  });
});

test("H8 bytes go up from standard input, and come down as they were", async () => {
  const upload = home.start(["call", "files.upload", "--file", "-"]);
  upload.stdin.end(bytes);
  const { json } = await finished(upload);
  expect(json).toMatchObject({ sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length });
  const { workbenchId } = (await call("workbenches.create", { name: "pictures" })).json as { workbenchId: string };
  const { sha256 } = json as { sha256: string };
  await call("files.add", { workbenchId, uploads: [{ path: "a.png", sha256 }] });

  const input = { workbenchId, path: "a.png" };
  const kept = await call("files.read", input, "--output", "out.png", "--json");
  expect(kept.json).toMatchObject({ path: "out.png", bytes: bytes.length });
  expect(await readFile(join(home.files, "out.png"))).toEqual(bytes);
  expect(existsSync(join(home.files, "out.png.part"))).toBe(false);

  const missing = await home.run(
    ["call", "files.read", "--json", "--output", "out.png"].concat(
      "--input",
      JSON.stringify({ workbenchId, path: "nothing.png" }),
    ),
  );
  expect([missing.code, missing.error().error_code]).toEqual([1, "NOT_FOUND"]);
  expect(await readFile(join(home.files, "out.png"))).toEqual(bytes);
});

test("the same idempotency key is carried out once", async () => {
  const words = ["--idempotency-key", "once-and-no-more"];
  const first = await call("workbenches.create", { name: "once" }, ...words);
  expect((await call("workbenches.create", { name: "once" }, ...words)).json).toEqual(first.json);
});

test("a daemon that has too many requests is waited for as long as it asks", async () => {
  await using busy = await Home.create();
  await busy.configure({ rateLimits: { identity: { perSecond: 1, burst: 1 } } });
  await busy.ok("whoami");
  for (let asked = 0; asked < 3; asked++) {
    const { code, stderr } = await busy.run(["call", "identity.whoami"]);
    expect([code, stderr]).toEqual([0, ""]);
  }
});

test.each([
  [["call", "workbench.create"], /There is no operation workbench\.create\./],
  [["call", "draft"], /Did you mean draft\.getState, /],
  [["call", "workbenches.list", "--input", "[1]"], /must be a JSON object/],
  [["call", "workbenches.list", "--input", "@nothing.json"], /nothing\.json does not exist/],
  [["call", "files.upload"], /--file PATH/],
  [["call", "workbenches.create", "--input", "{}"], /name: .*--describe/],
])("%j says what is wrong with it", async (words, message) => {
  const refused = await home.run([...words, "--json"]);
  expect(refused.code).toBeGreaterThan(0);
  expect(refused.error().message).toMatch(message);
});
