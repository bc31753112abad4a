import { fork } from "node:child_process";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import type { Catalogue } from "./catalogue.ts";
import { maxFileBytes } from "./provider-file.ts";

/** The files that the catalogue is made of, with their text: those that ship, and the operator's own. */
export interface Sources {
  readonly shipped: readonly Source[];
  readonly own: readonly Source[];
}
export interface Source {
  readonly file: string;
  readonly text: string;
}

/** What a process that parses answers. */
export type ParseReply =
  | { readonly catalogue: Catalogue }
  | { readonly failure: { readonly message: string } & BenchtopError["info"] };

export async function sourcesOf(home: string, shippedFolder = shipped): Promise<Sources> {
  const sources = { shipped: await sourcesIn(shippedFolder), own: await sourcesIn(join(home, "ssot/providers/ai")) };
  if (sources.shipped.length > 0) return sources;
  throw new BenchtopError(
    "FILE_READ_FAILED",
    `${shippedFolder}, which comes with Benchtop, is not there. Install it again.`,
    {
      phase: "settings",
      retryable: false,
    },
  );
}

/** Parses and checks, in a process that ends with it. Throws what `parseSources` throws. */
export async function parseElsewhere(sources: Sources, signal: AbortSignal): Promise<Catalogue> {
  const reply = await new Promise<ParseReply>((resolve, reject) => {
    const { NODE_COMPILE_CACHE: compiled } = process.env;
    const child = fork(new URL("./parse-process.ts", import.meta.url), {
      // Nothing of ours: the environment may hold keys.
      env: compiled === undefined ? {} : { NODE_COMPILE_CACHE: compiled },
      execArgv: [],
      signal,
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    child.once("message", (message) => resolve(message as ParseReply));
    child.once("error", (error) => reject(signal.aborted ? (signal.reason as Error) : error));
    child.once("exit", () => reject(new Error("The process that reads the catalogue ended without an answer.")));
    child.send(sources, (error) => error && reject(error));
  });
  if ("failure" in reply) throw BenchtopError.of(reply.failure);
  return reply.catalogue;
}

const shipped = join(import.meta.dirname, "../../../../ssot/providers/ai");
const maxFiles = 100;

async function sourcesIn(folder: string): Promise<Source[]> {
  return await Promise.all((await filesOf(folder)).map(async (file) => ({ file, text: await read(file) })));
}

async function filesOf(folder: string): Promise<string[]> {
  try {
    const names = (await readdir(folder)).filter((name) => /\.ya?ml$/.test(name)).toSorted();
    if (names.length <= maxFiles) return names.map((name) => join(folder, name));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw BenchtopError.from(cause, "FILE_READ_FAILED", { phase: "settings", detail: { path: folder } });
  }
  throw new BenchtopError("VALIDATION_FAILED", `${folder} holds more than ${maxFiles} files.`, { phase: "settings" });
}

/** A file that nobody could have written by hand is not brought into memory to be told so. */
async function read(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    return size <= 4 * maxFileBytes ? await readFile(file, "utf8") : "#".repeat(maxFileBytes + 1);
  } catch (cause) {
    throw BenchtopError.from(cause, "FILE_READ_FAILED", { phase: "settings", detail: { path: file } });
  }
}
