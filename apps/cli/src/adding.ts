import { openAsBlob } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { basename, join, relative, resolve, sep } from "node:path";
import type { OutputOf, Operations } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol/errors";
import { orderedMap } from "./commands/ordered-map.ts";
import type { Invocation } from "./invocation.ts";
import { formatBytes, formatCount } from "./output/format.ts";
import { withProgress } from "./output/progress.ts";

type Added = OutputOf<Operations["files.addFromHost"]>;

/**
 * Copies files and folders of this machine into a workbench. A daemon on this machine reads them itself; one elsewhere is
 * sent their bytes.
 */
export async function addPaths(
  invocation: Invocation,
  workbenchId: string,
  paths: readonly string[],
  options: { replace: boolean; skipRefused: boolean },
): Promise<Added> {
  const client = await invocation.client();
  const sources = paths.map((path) => resolve(path));
  if (invocation.isLocal) {
    return withProgress(invocation.terminal, await labelFor(invocation, sources), () =>
      client.call("files.addFromHost", { workbenchId, sources, ...options }),
    );
  }
  const { files, refused } = await filesBelow(sources);
  const [first] = refused;
  if (first !== undefined && !options.skipRefused) {
    throw new BenchtopError("SANDBOX_VIOLATION", `${first.path}: ${first.reason}`, { phase: "workbench" });
  }
  if (files.length === 0) return { added: [], refused };
  const uploads = await withProgress(invocation.terminal, "Sending", async (progress) => {
    const uploads: { path: string; sha256: string }[] = [];
    const sent = orderedMap(files, 4, async ({ source }) => client.upload(await openAsBlob(source)));
    for await (const [{ path }, { sha256 }] of sent) {
      uploads.push({ path, sha256 });
      progress.update(uploads.length, files.length);
    }
    return uploads;
  });
  const { added } = await client.call("files.add", { workbenchId, uploads, replace: options.replace });
  return { added, refused };
}

/** Says how much there is to copy. Only a terminal shows it, so only then is it counted. */
async function labelFor(invocation: Invocation, sources: readonly string[]): Promise<string> {
  if (!invocation.terminal.isErrorTty) return "";
  const { files } = await filesBelow(sources);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return `Adding ${formatCount(files.length, "file")} (${formatBytes(bytes)})`;
}

interface LocalFile {
  readonly source: string;
  /** Where it goes in the workbench. */
  readonly path: string;
  readonly bytes: number;
}

/** Regular files, folders searched through. Links and special files are refused: they may lead anywhere. */
async function filesBelow(sources: readonly string[]): Promise<{ files: LocalFile[]; refused: Added["refused"] }> {
  const files: LocalFile[] = [];
  const refused: Added["refused"] = [];
  for (const source of sources) {
    const root = await statOf(source);
    const open = root.isDirectory() ? await readdir(source) : [""];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      const at = join(source, name);
      const stat = name === "" ? root : await statOf(at);
      if (stat.isDirectory()) open.push(...(await readdir(at)).map((child) => join(name, child)));
      else if (stat.isFile()) {
        const path = name === "" ? basename(source) : relative(source, at).split(sep).join("/");
        files.push({ source: at, path, bytes: stat.size });
      } else refused.push({ path: at, code: "SANDBOX_VIOLATION", reason: "neither a regular file nor a folder" });
    }
  }
  return { files: files.toSorted((a, b) => (a.path < b.path ? -1 : 1)), refused };
}

async function statOf(path: string) {
  try {
    return await lstat(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "does not exist" : `cannot be read (${code})`;
    throw new BenchtopError("FILE_READ_FAILED", `${path} ${why}.`, { phase: "workbench", detail: { path }, cause });
  }
}
