import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { link, open, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import { syncFolder } from "@benchtop/store";

/**
 * The token that is the owner's identity: `$BENCHTOP_HOME/bootstrap-token`, 32 random bytes, made once.
 *
 * The file appears whole or not at all (written beside, then linked, which fails if the name is taken). A file that
 * others can read is closed to them again (`repaired`); a link, another user's file or a damaged one is refused. Before a
 * new one is made, `beforeNew` ends what an old one has opened.
 */
export async function readBootstrapToken(
  home: string,
  beforeNew: () => Promise<void> = () => Promise.resolve(),
): Promise<{ token: string; repaired: boolean }> {
  const path = join(home, "bootstrap-token");
  // What a killed daemon left; the home's lock is held, so nobody else is making one.
  await rm(join(home, unfinished), { force: true });
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") {
      await beforeNew();
      return { token: await create(home, path), repaired: false };
    }
    throw unusable(path, "cannot be opened (it must be a plain file of the daemon's user)", cause);
  }
  try {
    const { mode, uid } = await file.stat();
    if (process.getuid !== undefined && uid !== process.getuid()) throw unusable(path, "belongs to another user");
    const token = (await file.readFile("utf8")).trim();
    if (!/^[A-Za-z0-9_-]{32,200}$/.test(token)) throw unusable(path, "does not hold a token");
    const repaired = (mode & 0o077) !== 0 && process.platform !== "win32";
    if (repaired) await file.chmod(0o600);
    return { token, repaired };
  } finally {
    await file.close();
  }
}

/** The token's file before it has its name. */
const unfinished = ".bootstrap-token.new";

async function create(home: string, path: string): Promise<string> {
  const token = randomBytes(32).toString("base64url");
  const temporary = join(home, unfinished);
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(`${token}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(temporary, path);
    await syncFolder(home);
  } catch (cause) {
    throw BenchtopError.from(cause, "FILE_WRITE_FAILED", { phase: "settings", detail: { path } });
  } finally {
    await rm(temporary, { force: true });
  }
  return token;
}

function unusable(path: string, why: string, cause?: unknown): BenchtopError {
  return new BenchtopError(
    "FILE_READ_FAILED",
    `The bootstrap token ${path} ${why}. Delete it and start again: a new one is made.`,
    { phase: "settings", detail: { path }, cause },
  );
}
