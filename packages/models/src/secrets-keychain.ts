import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { BenchtopError } from "@benchtop/protocol";
import { isCode, replacePrivateFile } from "./private-file.ts";
import { keyFile, parseKey, type KeySource, type SecretsKey } from "./secrets-key.ts";

/** Where the key of the secrets is to be. `auto`: in the keychain of the operating system where there is one. */
export type SecretsPlace = "auto" | "keychain" | "file";

/** The keychain of the operating system, for one entry of ours. Rejects where it is not there, locked or does not answer. */
export interface Keychain {
  get(): Promise<string | undefined>;
  set(value: string): Promise<void>;
}

const service = "benchtop";
/** A keychain that asks a person may wait for them for ever; nobody may be there. */
const timeoutMs = 5000;
const pointer = /^keychain ([0-9a-f]{16})$/;

/**
 * The key in the keychain, and in the place of `secrets.key` a line that says so (`keychain`, and the key's id).
 *
 * A key that is in the file is moved: written to the keychain, read back, and only then replaced by that line, in one rename.
 * A process that is killed in between has lost nothing, and the next one does it again. A new key is made in the file first,
 * since that is where exactly one of several processes can make it. Where the keychain cannot be used, `auto` leaves the key in
 * the file; what was moved already needs the keychain, and says so. `file` takes back what was moved.
 */
export function keychainKey(path: string, place: SecretsPlace, keychain: Keychain = systemKeychain(path)): KeySource {
  const file = keyFile(path);
  let known: SecretsKey | undefined;
  let inFile = false;

  async function read(): Promise<SecretsKey | undefined> {
    if (known) return known;
    const movedTo = await pointedTo(path);
    if (movedTo !== undefined) {
      const key = await fromKeychain(movedTo);
      if (place === "file") await write(`${key.bytes.toString("base64")}\n`);
      return keep(key);
    }
    const key = await file.read();
    return key && keep(place === "file" ? key : await moved(key));
  }

  async function fromKeychain(id: string): Promise<SecretsKey> {
    const text = await answerOf(keychain.get(), (cause) => unreachable(path, cause));
    const key = text === undefined ? undefined : parseKey(text, keychainName);
    if (key?.id === id) return key;
    const why = key ? "another key than the one that was put there" : "no key any more";
    throw refusal(
      "FILE_READ_FAILED",
      `The keychain holds ${why} (${service}, ${path}). Put it back from a backup of the keychain.`,
    );
  }

  async function moved(key: SecretsKey): Promise<SecretsKey> {
    try {
      const present = await answerOf(keychain.get(), (cause) => unreachable(path, cause));
      if (present !== undefined && parseKey(present, keychainName).id !== key.id) {
        throw refusal(
          "VALIDATION_FAILED",
          `The keychain (${service}, ${path}) and ${path} hold different keys of the secrets. Remove the wrong one.`,
        );
      }
      if (present === undefined)
        await answerOf(keychain.set(key.bytes.toString("base64")), (cause) => unreachable(path, cause));
      const kept = await answerOf(keychain.get(), (cause) => unreachable(path, cause));
      if (kept === undefined || parseKey(kept, keychainName).id !== key.id) throw unreachable(path, undefined);
    } catch (thrown) {
      if (place === "keychain") throw thrown;
      inFile = true;
      return key;
    }
    await write(`keychain ${key.id}\n`);
    return key;
  }

  async function write(content: string): Promise<void> {
    try {
      await replacePrivateFile(path, content);
    } catch (error) {
      throw BenchtopError.from(error, "FILE_WRITE_FAILED", { phase: "settings", detail: { path } });
    }
  }

  function keep(key: SecretsKey): SecretsKey {
    known = key;
    return key;
  }

  return {
    get location() {
      return inFile || place === "file" || (place === "auto" && !known) ? path : keychainName;
    },
    // What can be told without asking the keychain, which takes its time; a person who wants it wants to know at once.
    async check() {
      if (place === "keychain") {
        if ((await read()) === undefined) await answerOf(keychain.get(), (cause) => unreachable(path, cause));
      } else if ((await pointedTo(path)) === undefined) await file.read();
    },
    read,
    async readOrCreate() {
      const present = await read();
      if (present) return present;
      await file.readOrCreate();
      const made = await read();
      if (!made) throw refusal("FILE_READ_FAILED", `The key of the secrets, ${path}, has just vanished.`);
      return made;
    },
  };
}

/** Whether `auto` has a keychain to try: always but on a Linux without a session bus, where the Secret Service would be. */
export function mayHaveKeychain(environment: Readonly<Record<string, string | undefined>> = process.env): boolean {
  if (process.platform !== "linux") return true;
  const { DBUS_SESSION_BUS_ADDRESS: bus, XDG_RUNTIME_DIR: folder } = environment;
  return (
    (bus !== undefined && bus !== "") || (folder !== undefined && folder !== "" && existsSync(join(folder, "bus")))
  );
}

/** True where the file only says that the key is in the keychain. */
export async function isMoved(path: string): Promise<boolean> {
  return (await pointedTo(path)) !== undefined;
}

/** `@napi-rs/keyring`: native and optional, so it is loaded when it is needed and may be missing. */
export function systemKeychain(account: string): Keychain {
  const entry = async () => {
    const { AsyncEntry } = await import("@napi-rs/keyring");
    // The kernel's keyring, which it would take otherwise, forgets everything at the next start of the machine.
    return new AsyncEntry(service, account, { linux: { store: "secret-service" } });
  };
  return {
    get: async () => (await (await entry()).getPassword(AbortSignal.timeout(timeoutMs))) ?? undefined,
    set: async (value) => (await entry()).setPassword(value, AbortSignal.timeout(timeoutMs)),
  };
}

const keychainName = "the keychain";

async function pointedTo(path: string): Promise<string | undefined> {
  try {
    return pointer.exec((await readFile(path, "utf8")).trim())?.[1];
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw BenchtopError.from(error, "FILE_READ_FAILED", { phase: "settings", detail: { path } });
  }
}

async function answerOf<Value>(asked: Promise<Value>, failure: (cause: unknown) => BenchtopError): Promise<Value> {
  const timeUp = new AbortController();
  try {
    return await Promise.race([
      asked,
      wait(timeoutMs, undefined, { signal: timeUp.signal }).then(() => {
        throw new Error("The keychain did not answer.");
      }),
    ]);
  } catch (cause) {
    throw failure(cause);
  } finally {
    timeUp.abort();
  }
}

function unreachable(path: string, cause: unknown): BenchtopError {
  return refusal(
    "FILE_READ_FAILED",
    `The keychain that is to hold the key of the secrets (${service}, ${path}) cannot be used here: it is missing, locked or did not answer. ` +
      'Unlock it, or give the key in BENCHTOP_SECRETS_KEY. A key that was never in a keychain stays in its file with "secrets": "file".',
    cause,
  );
}

function refusal(code: "FILE_READ_FAILED" | "VALIDATION_FAILED", message: string, cause?: unknown): BenchtopError {
  return new BenchtopError(code, message, {
    phase: "settings",
    subphase: "secrets",
    retryable: false,
    actions: ["open_settings"],
    cause,
  });
}
