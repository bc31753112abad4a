import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

/** A real Secret Service (gnome-keyring) on a session bus of its own; scripts/test/system.ts installs both. */
const possible =
  process.platform === "linux" && ["dbus-run-session", "gnome-keyring-daemon"].every((program) => isOnPath(program));

let folder: string;
let home: string;
let configDir: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "benchtop-keychain-"));
  home = join(folder, "home");
  configDir = join(folder, "config");
  for (const path of [home, configDir, join(folder, "user")]) mkdirSync(path, { mode: 0o700 });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly value?: string;
  readonly keyLocation?: string;
  readonly file?: string;
  readonly code?: string;
  readonly message?: string;
  readonly moved?: boolean;
}
type Setting = Readonly<Record<string, string>>;

const script = join(import.meta.dirname, "../test/keychain-process.ts");
const command = (args: string): string => `"${process.execPath}" "${script}" ${args}`;
const keyText = /^[A-Za-z0-9+/]{43}=$/;

/** The processes one after the other, on one session bus with an unlocked keychain where it is wanted. Undefined: it was killed. */
async function processes(
  steps: readonly (readonly [string, Setting?])[],
  bus: "unlocked" | "empty" | "none" = "unlocked",
): Promise<(Outcome | undefined)[]> {
  const lines = steps.map(([args, setting = {}]) => {
    const variables = Object.entries({ TEST_HOME: home, TEST_CONFIG: configDir, ...setting })
      .filter(([, value]) => value !== "")
      .map(([name, value]) => `${name}='${value}'`);
    return `env ${variables.join(" ")} ${command(args)} || echo null`;
  });
  const unlock = "printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1";
  const text = [...(bus === "unlocked" ? [unlock] : []), ...lines].join("\n");
  const shell = bus === "none" ? ["sh", "-c", text] : ["dbus-run-session", "--", "sh", "-c", text];
  const { DBUS_SESSION_BUS_ADDRESS: _, XDG_RUNTIME_DIR: __, BENCHTOP_SECRETS_KEY: ___, ...environment } = process.env;
  const user = join(folder, "user");
  const child = spawn(shell[0] ?? "", shell.slice(1), {
    env: { ...environment, HOME: user, XDG_DATA_HOME: join(user, "data"), XDG_CONFIG_HOME: join(user, "config") },
    stdio: ["ignore", "pipe", "ignore"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
  await new Promise((resolve) => child.on("close", resolve));
  const answers = output.split("\n").filter((line) => /^(\{|null)/.test(line));
  return answers.map((line) => (JSON.parse(line) as Outcome | null) ?? undefined);
}

describe.skipIf(!possible)("PX the key of the secrets in a keychain (needs gnome-keyring and dbus)", () => {
  const keychain = { TEST_PLACE: "keychain" };

  test("PX moves there from its file once, and no copy of the configuration folder gives it away", async () => {
    const [before, moved, after, back] = await processes([
      ["set one secret-one", { TEST_PLACE: "file" }],
      ["get one", keychain],
      ["set two secret-two", keychain],
      ["get two", { TEST_PLACE: "file" }],
    ]);
    expect(before).toMatchObject({ value: "secret-one", keyLocation: join(configDir, "secrets.key") });
    expect(before?.file).toMatch(keyText);
    expect(moved).toMatchObject({ value: "secret-one", keyLocation: "the keychain" });
    expect(moved?.file).toMatch(/^keychain [0-9a-f]{16}$/);
    expect(after).toMatchObject({ value: "secret-two", file: moved?.file ?? "" });
    // Whoever wants it in the file again gets the same key.
    expect(back).toMatchObject({ value: "secret-two", file: before?.file ?? "" });
    expect(readdirSync(configDir)).toEqual(["secrets.key"]);
  });

  test("PX a process that is killed anywhere while it moves the key loses no secret", async () => {
    const outcomes = await processes(
      Array.from({ length: 6 }, (_, index) => index + 1).flatMap((place) => {
        const own = { TEST_HOME: join(folder, `home${place}`), TEST_CONFIG: join(folder, `config${place}`) };
        for (const path of Object.values(own)) mkdirSync(path, { mode: 0o700 });
        return [
          ["set one secret-one", { ...own, TEST_PLACE: "file" }],
          [`move ${place}`, own],
          ["get one", { ...own, ...keychain }],
        ] as const;
      }),
    );
    expect(outcomes).toHaveLength(18);
    for (let place = 0; place < 6; place++) {
      const [, killed, after] = outcomes.slice(3 * place, 3 * place + 3);
      expect(killed).toBeUndefined();
      expect(after).toMatchObject({ value: "secret-one", keyLocation: "the keychain" });
    }
  });

  test("PX is made there by itself for the user's own configuration folder, and given by the environment all the same", async () => {
    const own = { TEST_CONFIG: "" };
    const [made] = await processes([["set one secret-one", own]]);
    expect(made).toMatchObject({ value: "secret-one", keyLocation: "the keychain" });
    const file = join(folder, "user/config/benchtop/secrets.key");
    expect(readFileSync(file, "utf8")).toMatch(/^keychain /);
    const [given] = await processes([["get one", { ...own, BENCHTOP_SECRETS_KEY: "A".repeat(43) }]]);
    expect(given).toMatchObject({ code: "FILE_READ_FAILED" });
    expect(given?.message).toContain("BENCHTOP_SECRETS_KEY");
  });

  test("PX that was moved and cannot be reached is said to be in the keychain; nothing is made over it", async () => {
    await processes([["set one secret-one", keychain]]);
    const file = readFileSync(join(configDir, "secrets.key"), "utf8");
    for (const bus of ["none", "empty"] as const) {
      for (const step of ["get one", "set two secret-two"]) {
        const [outcome] = await processes([[step]], bus);
        expect(outcome).toMatchObject({ code: "FILE_READ_FAILED" });
        expect(outcome?.message).toMatch(/keychain/);
      }
    }
    expect(readFileSync(join(configDir, "secrets.key"), "utf8")).toBe(file);
    expect((await processes([["get one"]]))[0]).toMatchObject({ value: "secret-one" });
  });

  test("PX a keychain with another key is not written over", async () => {
    const [first] = await processes([
      ["set one secret-one", keychain],
      ["get one", { TEST_PLACE: "file" }],
    ]);
    expect(first?.keyLocation).toBe("the keychain");
    rmSync(join(configDir, "secrets.key"));
    rmSync(join(home, "secrets.json"));
    const [other, refused, still] = await processes([
      ["set one secret-other", { TEST_PLACE: "file" }],
      ["get one", keychain],
      ["get one", { TEST_PLACE: "file" }],
    ]);
    expect(other?.value).toBe("secret-other");
    expect(refused).toMatchObject({ code: "VALIDATION_FAILED" });
    expect(refused?.message).toContain("different keys");
    expect(still?.value).toBe("secret-other");
  });

  test("PX a keychain that takes nothing leaves the key in its file", async () => {
    const [outcome] = await processes([["set one secret-one", { TEST_CONFIG: "" }]], "empty");
    const file = join(folder, "user/config/benchtop/secrets.key");
    expect(outcome).toMatchObject({ value: "secret-one", keyLocation: file });
    expect(readFileSync(file, "utf8").trim()).toMatch(keyText);
  });
});

describe.skipIf(process.platform !== "linux")("PX without a keychain (Linux without a session bus)", () => {
  test("PX the key is in its file, unless a keychain is asked for: then the start says that there is none", async () => {
    const own = { TEST_CONFIG: "" };
    const [auto, wanted] = await processes(
      [
        ["set one secret-one", own],
        ["get one", { ...own, TEST_PLACE: "keychain" }],
      ],
      "none",
    );
    expect(auto).toMatchObject({ value: "secret-one", keyLocation: join(folder, "user/config/benchtop/secrets.key") });
    expect(wanted).toMatchObject({ code: "FILE_READ_FAILED" });
    expect(wanted?.message).toMatch(/keychain .* cannot be used here/);
  });

  test("PX an installation without the native module works, with the key in its file", async () => {
    const missing = { TEST_CONFIG: "", TEST_NO_NATIVE: "1", DBUS_SESSION_BUS_ADDRESS: "unix:path=/nonexistent" };
    const [outcome] = await processes([["set one secret-one", missing]], "none");
    expect(outcome).toMatchObject({
      value: "secret-one",
      keyLocation: join(folder, "user/config/benchtop/secrets.key"),
    });
  });
});

function isOnPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((path) => path !== "" && existsSync(join(path, program)));
}
