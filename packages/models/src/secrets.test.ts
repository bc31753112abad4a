import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect, promisify } from "node:util";
import { BenchtopError } from "@benchtop/protocol";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Secret } from "./secret.ts";
import { openSecrets } from "./secrets.ts";

const value = "sk-live-7f3a9c-very-secret";
let folder: string;
let home: string;
let configDir: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "benchtop-secrets-"));
  home = join(folder, "home");
  configDir = join(folder, "config", "benchtop");
  mkdirSync(home);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const file = () => join(home, "secrets.json");
const keyFile = () => join(configDir, "secrets.key");
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

async function failureOf(attempt: Promise<unknown>): Promise<BenchtopError> {
  const error: unknown = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!BenchtopError.is(error)) throw new Error(`expected a BenchtopError, got ${String(error)}`);
  return error;
}

describe("PX secrets", () => {
  test("are kept over a restart, and deleted on request", async () => {
    const first = await openSecrets({ home, configDir });
    await first.set("provider/openai", value);
    await first.set("provider/other", new Secret("ü and more"));
    const second = await openSecrets({ home, configDir });
    expect((await second.get("provider/openai"))?.reveal()).toBe(value);
    expect((await second.get("provider/other"))?.reveal()).toBe("ü and more");
    expect(await second.names()).toEqual(["provider/openai", "provider/other"]);
    expect(await second.delete("provider/openai")).toBe(true);
    expect(await second.delete("provider/openai")).toBe(false);
    expect(await first.get("provider/openai")).toBeUndefined();
  });

  test("nothing is written before there is a secret", async () => {
    const secrets = await openSecrets({ home, configDir });
    expect(await secrets.get("provider/openai")).toBeUndefined();
    expect(await secrets.delete("provider/openai")).toBe(false);
    expect([existsSync(file()), existsSync(configDir)]).toEqual([false, false]);
  });

  test("neither value nor name is readable in home, and the key is not there", async () => {
    const secrets = await openSecrets({ home, configDir });
    await secrets.set("provider/openai", value);
    const stored = readFileSync(file(), "utf8");
    const key = readFileSync(keyFile(), "utf8").trim();
    for (const text of [value, "provider/openai", Buffer.from(value).toString("base64").slice(0, 20), key]) {
      expect(stored).not.toContain(text);
    }
    expect(readdirSync(home)).toEqual(["secrets.json"]);
    expect(secrets).toMatchObject({ backend: "encrypted file", location: file(), keyLocation: keyFile() });
  });

  test("only the owner may read the files, and no temporary file stays", async () => {
    const secrets = await openSecrets({ home, configDir });
    await secrets.set("a", value);
    await secrets.set("b", value);
    expect([mode(file()), mode(keyFile()), mode(configDir)]).toEqual(["600", "600", "700"]);
    expect(readdirSync(configDir)).toEqual(["secrets.key"]);
    expect(readdirSync(home)).toEqual(["secrets.json"]);
  });

  test("changes at the same time all arrive", async () => {
    const secrets = await openSecrets({ home, configDir });
    const names = Array.from({ length: 20 }, (_, index) => `name${index}`);
    await Promise.all(names.map((name) => secrets.set(name, name)));
    expect((await secrets.names()).toSorted()).toEqual(names.toSorted());
  });

  test("a secret shows itself in no text, JSON, inspection or error", async () => {
    const secrets = await openSecrets({ home, configDir });
    await secrets.set("a", value);
    const secret = await secrets.get("a");
    const wrapped = { secret, secrets };
    for (const text of [
      String(secret),
      `${secret?.toString()}`,
      JSON.stringify(wrapped),
      inspect(wrapped, { depth: 10, showHidden: true }),
      Object.entries(secret ?? {}).join(""),
      new Error("failed", { cause: secret }).stack ?? "",
      inspect(new Error("failed", { cause: secret })),
    ]) {
      expect(text).not.toContain("sk-live");
    }
    expect(secret?.reveal()).toBe(value);
  });
});

describe("the key of the secrets", () => {
  test.each([
    ["base64", (bytes: Buffer) => bytes.toString("base64")],
    ["URL-safe base64 without padding", (bytes: Buffer) => bytes.toString("base64url")],
    ["hex", (bytes: Buffer) => bytes.toString("hex")],
    ["hex with a line break", (bytes: Buffer) => `${bytes.toString("hex").toUpperCase()}\n`],
  ])("may be given by BENCHTOP_SECRETS_KEY as %s; no file is made then", async (_name, encode) => {
    vi.stubEnv("BENCHTOP_SECRETS_KEY", encode(randomBytes(32)));
    const secrets = await openSecrets({ home, configDir });
    await secrets.set("a", value);
    expect((await (await openSecrets({ home, configDir })).get("a"))?.reveal()).toBe(value);
    expect([existsSync(configDir), secrets.keyLocation]).toEqual([false, "BENCHTOP_SECRETS_KEY"]);
  });

  test.each(["short", "00".repeat(31), "00".repeat(33), randomBytes(31).toString("base64"), "!".repeat(44)])(
    "that is not 32 bytes (%j) is refused at once, without repeating it",
    async (key) => {
      const error = await failureOf(openSecrets({ home, configDir, key }));
      expect(error.code).toBe("VALIDATION_FAILED");
      expect(error.message).toContain("openssl rand");
      expect(error.message).not.toContain(key);
    },
  );

  test("lies in XDG_CONFIG_HOME unless told", async () => {
    vi.stubEnv("XDG_CONFIG_HOME", join(folder, "xdg"));
    await (await openSecrets({ home, place: "file" })).set("a", value);
    expect(mode(join(folder, "xdg", "benchtop", "secrets.key"))).toBe("600");
  });

  test.each([0o640, 0o604, 0o660, 0o644, 0o777])(
    "that others may read or write (%o) is not used",
    async (permissions) => {
      await (await openSecrets({ home, configDir })).set("a", value);
      chmodSync(keyFile(), permissions);
      const error = await failureOf(openSecrets({ home, configDir }));
      expect(error.code).toBe("FILE_READ_FAILED");
      expect(error.message).toContain(`chmod 600 '${keyFile()}'`);
      chmodSync(keyFile(), 0o600);
      expect((await (await openSecrets({ home, configDir })).get("a"))?.reveal()).toBe(value);
    },
  );

  test("is made once when several processes start at the same moment", async () => {
    const script = `
      import { openSecrets } from ${JSON.stringify(join(import.meta.dirname, "secrets.ts"))};
      const secrets = await openSecrets({ home: process.argv[1], configDir: ${JSON.stringify(configDir)} });
      await secrets.set("a", ${JSON.stringify(value)});`;
    const homes = Array.from({ length: 6 }, (_, index) => join(folder, `home${index}`));
    for (const one of homes) mkdirSync(one);
    const run = promisify(execFile);
    await Promise.all(homes.map((one) => run(process.execPath, ["--input-type=module", "-e", script, one])));
    expect(readdirSync(configDir)).toEqual(["secrets.key"]);
    for (const one of homes) {
      expect((await (await openSecrets({ home: one, configDir })).get("a"))?.reveal()).toBe(value);
    }
  });
});

/** The one message with which every use of the secrets fails, after which the file is as it was. */
async function failureOfEveryUse(options: { key?: string } = {}): Promise<string> {
  const before = readFileSync(file());
  const secrets = await openSecrets({ home, configDir, ...options });
  const failures = await Promise.all([
    failureOf(secrets.get("a")),
    failureOf(secrets.set("a", "another")),
    failureOf(secrets.delete("a")),
    failureOf(secrets.names()),
  ]);
  expect(readFileSync(file()).equals(before)).toBe(true);
  expect(failures.map((error) => error.code)).toEqual(Array(4).fill("FILE_READ_FAILED"));
  expect(JSON.stringify(failures.map(({ message, info }) => ({ message, info })))).not.toContain("sk-live");
  const [message] = new Set(failures.map((error) => error.message));
  expect(message).toContain(file());
  return message ?? "";
}

describe("secrets that cannot be read", () => {
  beforeEach(async () => {
    await (await openSecrets({ home, configDir })).set("a", value);
  });

  test("with another key: the error names the right one, nothing is touched", async () => {
    expect(await failureOfEveryUse({ key: randomBytes(32).toString("hex") })).toMatch(/made with another key/);
    expect((await (await openSecrets({ home, configDir })).get("a"))?.reveal()).toBe(value);
  });

  test("without their key: no new one is made over it", async () => {
    rmSync(keyFile());
    expect(await failureOfEveryUse()).toMatch(/is missing\. Put the key back/);
    expect(existsSync(keyFile())).toBe(false);
  });

  test.each(["", "{}", "null", "not JSON", '{"version":2}', '{"version":1,"keyId":7}'])(
    "replaced by %j",
    async (text) => {
      writeFileSync(file(), text);
      expect(await failureOfEveryUse()).toMatch(/damaged/);
    },
  );

  test.each(["nonce", "tag", "data"])("with one bit of %s flipped", async (field) => {
    const sealed = JSON.parse(readFileSync(file(), "utf8")) as Record<string, string>;
    const bytes = Buffer.from(sealed[field] ?? "", "base64");
    bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
    writeFileSync(file(), JSON.stringify({ ...sealed, [field]: bytes.toString("base64") }));
    expect(await failureOfEveryUse()).toMatch(/damaged/);
  });

  test("with the tag cut short", async () => {
    const sealed = JSON.parse(readFileSync(file(), "utf8")) as Record<string, string>;
    const tag = Buffer.from(sealed["tag"] ?? "", "base64").subarray(0, 4);
    writeFileSync(file(), JSON.stringify({ ...sealed, tag: tag.toString("base64") }));
    expect(await failureOfEveryUse()).toMatch(/damaged/);
  });

  test("cut off in the middle", async () => {
    writeFileSync(file(), readFileSync(file(), "utf8").slice(0, 60));
    expect(await failureOfEveryUse()).toMatch(/damaged/);
  });

  test("a file with wide permissions is made private again", async () => {
    chmodSync(file(), 0o644);
    await openSecrets({ home, configDir });
    expect(mode(file())).toBe("600");
  });
});
