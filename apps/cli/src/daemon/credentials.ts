import { randomBytes } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { mkdir, open, rename, unlink } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { BenchtopError } from "@benchtop/protocol/errors";

/** A workspace as it was chosen: the id counts, the name is for people. */
export interface ChosenWorkspace {
  readonly id: string;
  readonly name: string;
}

/** What `login` and `workspaces use` leave behind, in a file of the user's that nobody else may read. */
export interface Credentials {
  /** The address that commands talk to; null for the daemon of this machine. */
  readonly current: string | null;
  /** By address. */
  readonly daemons: Readonly<Record<string, { readonly token: string; readonly workspace?: ChosenWorkspace }>>;
  /** Workspaces chosen for daemons of this machine, by home. */
  readonly homes: Readonly<Record<string, { readonly workspace: ChosenWorkspace }>>;
}

const none: Credentials = { current: null, daemons: {}, homes: {} };

/**
 * Reads the file; nothing chosen when there is none. Throws `FILE_READ_FAILED` for one that others can read: its tokens
 * may be known to them, and what they wrote there must not decide where ours goes.
 */
export function readCredentials(): Credentials {
  const path = credentialsFile();
  let text: string;
  try {
    const { mode } = statSync(path);
    if (process.platform !== "win32" && (mode & 0o077) !== 0) throw openToOthers(path);
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (BenchtopError.is(error)) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return none;
    throw unreadable(path, `cannot be read (${code})`, error);
  }
  try {
    const value: unknown = JSON.parse(text);
    if (isCredentials(value)) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw unreadable(path, "does not hold what `benchtop login` writes. Delete it and log in again");
}

/** Replaces the file as a whole; a crash leaves the old one or the new one. */
export async function changeCredentials(change: (before: Credentials) => Credentials): Promise<void> {
  const path = credentialsFile();
  const content = `${JSON.stringify(change(readCredentials()), undefined, 2)}\n`;
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await unlink(temporary).catch(() => undefined);
    const { code } = cause as NodeJS.ErrnoException;
    throw new BenchtopError("FILE_WRITE_FAILED", `${path} cannot be written (${code}).`, {
      phase: "settings",
      detail: { path },
      cause,
    });
  }
}

/** In the user's configuration folder, beside the key of the secrets. */
export function credentialsFile(): string {
  const { XDG_CONFIG_HOME, APPDATA } = process.env;
  const given = XDG_CONFIG_HOME ?? (process.platform === "win32" ? APPDATA : undefined);
  const folder = given === undefined || given === "" ? join(homedir(), ".config") : given;
  return join(folder, "benchtop", "credentials.json");
}

function isCredentials(value: unknown): value is Credentials {
  if (!isRecord(value)) return false;
  const { current, daemons, homes } = value;
  return (
    (current === null || typeof current === "string") &&
    isRecord(daemons) &&
    Object.values(daemons).every(
      (known) => isRecord(known) && typeof known["token"] === "string" && isChosen(known["workspace"]),
    ) &&
    isRecord(homes) &&
    Object.values(homes).every((home) => isRecord(home) && isChosen(home["workspace"]))
  );
}

function isChosen(value: unknown): boolean {
  return (
    value === undefined || (isRecord(value) && typeof value["id"] === "string" && typeof value["name"] === "string")
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function openToOthers(path: string): BenchtopError {
  return unreadable(
    path,
    `can be read by other users of this machine, so it is not used. Run: chmod 600 '${path}'. If others may have read it, revoke its keys`,
  );
}

function unreadable(path: string, why: string, cause?: unknown): BenchtopError {
  return new BenchtopError("FILE_READ_FAILED", `${path} ${why}.`, {
    phase: "settings",
    retryable: false,
    actions: [],
    detail: { path },
    cause,
  });
}
