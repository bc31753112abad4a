import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { chmod, readFile } from "node:fs/promises";
import { join } from "node:path";
import { BenchtopError, type ErrorCode } from "@benchtop/protocol";
import { isCode, openToOthers, replacePrivateFile } from "./private-file.ts";
import { defaultConfigDir, givenKey, keyFile, type KeySource, type SecretsKey } from "./secrets-key.ts";
import { isMoved, keychainKey, mayHaveKeychain, type SecretsPlace } from "./secrets-keychain.ts";
import { Secret } from "./secret.ts";

/** Named secrets. Values are written once and used by the daemon; no surface shows them again. */
export interface Secrets {
  /** For `benchtop status`. */
  readonly backend: string;
  readonly location: string;
  /** Where the key of the file is, or the variable that gives it. */
  readonly keyLocation: string;
  get(name: string): Promise<Secret | undefined>;
  /** On disk when it resolves. */
  set(name: string, value: Secret | string): Promise<void>;
  /** True if there was one. */
  delete(name: string): Promise<boolean>;
  names(): Promise<string[]>;
}

/**
 * Secrets in `secrets.json` below `home`, the whole of it one AES-256-GCM message; the key lies elsewhere: in `key` or
 * `BENCHTOP_SECRETS_KEY` (base64 or hex), else in the keychain of the operating system or in `secrets.key` of the user's
 * configuration folder, as `place` has it; it is made at the first `set`. A backup or a copy of `home` therefore gives nothing
 * away. `auto` takes the keychain for the user's own configuration folder alone, not for one that is given.
 *
 * Rejects with `VALIDATION_FAILED` for a malformed key and `FILE_READ_FAILED` for a key file that others may read. Secrets
 * that cannot be decrypted (another key, a damaged file) make `get`, `set` and `delete` reject with `FILE_READ_FAILED`;
 * nothing is overwritten then.
 */
export async function openSecrets(options: {
  readonly home: string;
  readonly configDir?: string;
  readonly key?: string;
  /** `auto` unless told. */
  readonly place?: SecretsPlace;
}): Promise<Secrets> {
  const path = join(options.home, "secrets.json");
  const variable = process.env["BENCHTOP_SECRETS_KEY"];
  const key =
    options.key !== undefined
      ? givenKey(options.key, "the configuration")
      : variable !== undefined && variable !== ""
        ? givenKey(variable, "BENCHTOP_SECRETS_KEY")
        : await keyIn(options.place ?? "auto", options.configDir);
  await key.check();
  await keepPrivate(path);
  return new SecretsFile(path, key);
}

async function keyIn(place: SecretsPlace, configDir: string | undefined): Promise<KeySource> {
  const path = join(configDir ?? defaultConfigDir(), "secrets.key");
  if (place === "keychain") return keychainKey(path, place);
  const wanted = place === "auto" && configDir === undefined && mayHaveKeychain();
  // What is in the keychain already is there, wherever it would be made now.
  return wanted || (await isMoved(path)) ? keychainKey(path, place) : keyFile(path);
}

class SecretsFile implements Secrets {
  readonly backend = "encrypted file";
  readonly location: string;
  readonly #key: KeySource;
  /** Changes are read-modify-write, so one at a time. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string, key: KeySource) {
    this.location = path;
    this.#key = key;
  }

  get keyLocation(): string {
    return this.#key.location;
  }

  async get(name: string): Promise<Secret | undefined> {
    const value = (await this.#read()).get(name);
    return value === undefined ? undefined : new Secret(value);
  }

  async names(): Promise<string[]> {
    return [...(await this.#read()).keys()];
  }

  async set(name: string, value: Secret | string): Promise<void> {
    await this.#change((entries) => {
      entries.set(name, typeof value === "string" ? value : value.reveal());
      return true;
    });
  }

  async delete(name: string): Promise<boolean> {
    return this.#change((entries) => entries.delete(name));
  }

  async #change(change: (entries: Map<string, string>) => boolean): Promise<boolean> {
    const turn = this.#last.then(async () => {
      const entries = await this.#read();
      if (!change(entries)) return false;
      const key = await this.#key.readOrCreate();
      try {
        await replacePrivateFile(this.location, encrypt(entries, key));
      } catch (error) {
        throw BenchtopError.from(error, "FILE_WRITE_FAILED", { phase: "settings", detail: { path: this.location } });
      }
      return true;
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Read from disk each time: it is one small file, and nothing decrypted stays in memory for longer than its use. */
  async #read(): Promise<Map<string, string>> {
    let text: string;
    try {
      text = await readFile(this.location, "utf8");
    } catch (error) {
      if (isCode(error, "ENOENT")) return new Map();
      throw BenchtopError.from(error, "FILE_READ_FAILED", { phase: "settings", detail: { path: this.location } });
    }
    const key = await this.#key.read();
    if (!key) throw this.#unreadable(`its key, ${this.keyLocation}, is missing`, "Put the key back");
    const sealed = parseSealed(text);
    if (!sealed) throw this.#unreadable("it is damaged", "Restore it from a backup");
    if (sealed.keyId !== key.id)
      throw this.#unreadable(`it was made with another key than ${this.keyLocation}`, "Put that key back");
    const entries = decrypt(sealed, key);
    if (!entries) throw this.#unreadable("it is damaged", "Restore it from a backup");
    return entries;
  }

  #unreadable(why: string, remedy: string, code: ErrorCode = "FILE_READ_FAILED"): BenchtopError {
    return new BenchtopError(
      code,
      `The secrets in ${this.location} cannot be read: ${why}. ${remedy}, or move the file away and add the API keys again.`,
      {
        phase: "settings",
        subphase: "secrets",
        retryable: false,
        actions: ["open_settings"],
        detail: { path: this.location },
      },
    );
  }
}

interface Sealed {
  readonly version: 1;
  readonly keyId: string;
  readonly nonce: string;
  readonly tag: string;
  readonly data: string;
}

/** The header is authenticated with the data, so no part of a file can be exchanged for that of another. */
const header = (keyId: string) => Buffer.from(`benchtop secrets 1 ${keyId}`);

function encrypt(entries: ReadonlyMap<string, string>, key: SecretsKey): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key.bytes, nonce).setAAD(header(key.id));
  const data = Buffer.concat([cipher.update(JSON.stringify(Object.fromEntries(entries)), "utf8"), cipher.final()]);
  const sealed: Sealed = {
    version: 1,
    keyId: key.id,
    nonce: nonce.toString("base64"),
    tag: cipher.getAuthTag().toString("base64"),
    data: data.toString("base64"),
  };
  return `${JSON.stringify(sealed, null, 2)}\n`;
}

/** Undefined when the file is not what was written: a changed byte anywhere fails the authentication. */
function decrypt(sealed: Sealed, key: SecretsKey): Map<string, string> | undefined {
  try {
    const decipher = createDecipheriv("aes-256-gcm", key.bytes, Buffer.from(sealed.nonce, "base64"), {
      authTagLength: 16,
    })
      .setAAD(header(key.id))
      .setAuthTag(Buffer.from(sealed.tag, "base64"));
    const text = Buffer.concat([decipher.update(Buffer.from(sealed.data, "base64")), decipher.final()]).toString(
      "utf8",
    );
    return new Map(Object.entries(JSON.parse(text) as Record<string, string>));
  } catch {
    return undefined;
  }
}

function parseSealed(text: string): Sealed | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { version, keyId, nonce, tag, data } = value as Record<string, unknown>;
  if (version !== 1 || typeof keyId !== "string") return undefined;
  if (typeof nonce !== "string" || typeof tag !== "string" || typeof data !== "string") return undefined;
  return { version, keyId, nonce, tag, data };
}

/** Its content is encrypted, so wide permissions are put right instead of refused. */
async function keepPrivate(path: string): Promise<void> {
  try {
    if ((await openToOthers(path)) !== 0) await chmod(path, 0o600);
  } catch (error) {
    if (!isCode(error, "ENOENT")) {
      throw BenchtopError.from(error, "FILE_READ_FAILED", { phase: "settings", detail: { path } });
    }
  }
}
