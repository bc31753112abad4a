import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeAuthority } from "../../packages/egress/test/certificates.ts";
import { Home } from "./home.ts";

/** A daemon with a certificate of an authority that this machine does not know. */
let home: Home;
let caFile: string;
beforeAll(async () => {
  home = await Home.create();
  const authority = makeAuthority();
  const { key, cert } = authority.issue("127.0.0.1", "localhost");
  caFile = join(home.folder, "authority.pem");
  home.env["BENCHTOP_TLS_CERT"] = join(home.folder, "server.pem");
  home.env["BENCHTOP_TLS_KEY"] = join(home.folder, "server.key");
  await writeFile(caFile, authority.ca);
  await writeFile(home.env["BENCHTOP_TLS_CERT"], cert);
  await writeFile(home.env["BENCHTOP_TLS_KEY"], key, { mode: 0o600 });
});
afterAll(() => home[Symbol.asyncDispose]());

test("PX commands find the daemon of TLS by the authority that they are told to trust", async () => {
  const trusting = { BENCHTOP_CA_FILE: caFile };
  const created = await home.run(["workbench", "create", "safe", "--json"], trusting);
  expect(created.stderr).toBe("");
  const status = await home.run(["status", "--json"], trusting);
  expect(status.json).toMatchObject({ url: expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+$/) as unknown });

  const other = await home.run(["workbench", "list", "--json"]);
  expect(other.code).not.toBe(0);
  expect(other.error().message).toContain("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
  expect((await home.run(["down"], trusting)).code).toBe(0);
});

test("one of the two files alone is refused", async () => {
  const started = await home.run(["up", "--no-open", "--json"], { BENCHTOP_TLS_KEY: "" });
  expect(started.code).not.toBe(0);
  expect(started.error().message).toBe("BENCHTOP_TLS_CERT and BENCHTOP_TLS_KEY belong together: set both.");
});
