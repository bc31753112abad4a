import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import { createPrivateFile, isCode, openToOthers } from "./private-file.ts";

/** 32 bytes, and a name for them that tells nothing about them. */
export interface SecretsKey {
  readonly bytes: Buffer;
  readonly id: string;
}

/** Where the key comes from. It is never in the folder that holds what it encrypts. */
export interface KeySource {
  /** For people: a path, or the name of the variable. */
  readonly location: string;
  /** Throws what would make every use of the key fail, as far as that can be told at a start. */
  check(): Promise<void>;
  read(): Promise<SecretsKey | undefined>;
  /** The key, made now if there is none. Of several processes at once one makes it and all return it. */
  readOrCreate(): Promise<SecretsKey>;
}

/** `key` is base64 or hex of 32 bytes. Throws `VALIDATION_FAILED` when it is anything else. */
export function givenKey(key: string, location: string): KeySource {
  const parsed = parseKey(key, location);
  return { location, check: async () => {}, read: async () => parsed, readOrCreate: async () => parsed };
}

export function keyFile(path: string): KeySource {
  const read = async (): Promise<SecretsKey | undefined> => {
    let text: string;
    try {
      text = await readFile(path, "utf8");
    } catch (error) {
      if (isCode(error, "ENOENT")) return undefined;
      throw BenchtopError.from(error, "FILE_READ_FAILED", { phase: "settings", detail: { path } });
    }
    if ((await openToOthers(path)) !== 0) {
      throw new BenchtopError(
        "FILE_READ_FAILED",
        `The key of the secrets, ${path}, can be read by other users of this machine, so it is not used. ` +
          `Run: chmod 600 '${path}'. If others may have read it, replace the API keys at their providers.`,
        { phase: "settings", subphase: "secrets", retryable: false, actions: ["open_settings"], detail: { path } },
      );
    }
    return parseKey(text, path);
  };
  return {
    location: path,
    async check() {
      await read();
    },
    read,
    async readOrCreate() {
      const present = await read();
      if (present) return present;
      try {
        await createPrivateFile(path, `${randomBytes(32).toString("base64")}\n`);
      } catch (error) {
        throw BenchtopError.from(error, "FILE_WRITE_FAILED", { phase: "settings", detail: { path } });
      }
      const made = await read();
      if (!made) throw new BenchtopError("FILE_READ_FAILED", `The key of the secrets, ${path}, has just vanished.`);
      return made;
    },
  };
}

/** The user's configuration folder for Benchtop. */
export function defaultConfigDir(): string {
  const configured =
    process.env["XDG_CONFIG_HOME"] ?? (process.platform === "win32" ? process.env["APPDATA"] : undefined);
  return join(configured === undefined || configured === "" ? join(homedir(), ".config") : configured, "benchtop");
}

/** Throws `VALIDATION_FAILED` for what is no key. */
export function parseKey(text: string, location: string): SecretsKey {
  const key = text.trim();
  const bytes = /^[0-9a-f]{64}$/i.test(key)
    ? Buffer.from(key, "hex")
    : /^[A-Za-z0-9+/_-]{43}=?$/.test(key)
      ? Buffer.from(key, "base64")
      : undefined;
  if (bytes?.byteLength !== 32) {
    throw new BenchtopError(
      "VALIDATION_FAILED",
      `The key of the secrets in ${location} is not 32 bytes in base64 or hex. Make one with: openssl rand -base64 32`,
      { phase: "settings", subphase: "secrets" },
    );
  }
  return {
    bytes,
    id: createHash("sha256").update("benchtop secrets key id\0").update(bytes).digest("hex").slice(0, 16),
  };
}
