import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { replacePrivateFile } from "../private-file.ts";
import type { Catalogue } from "./catalogue.ts";
import type { Sources } from "./sources.ts";

/** To be raised when the same files are to give another catalogue. */
const format = 1;

/** A name for exactly these files. */
export function keyOf({ shipped, own }: Sources): string {
  return createHash("sha256")
    .update(JSON.stringify([format, shipped, own]))
    .digest("hex");
}

/** The catalogue that these files gave before; undefined when they are others, or it cannot be read. */
export async function keptCatalogue(home: string, key: string): Promise<Catalogue | undefined> {
  try {
    const kept = JSON.parse(await readFile(pathIn(home), "utf8")) as {
      readonly key?: unknown;
      readonly catalogue: Catalogue;
    };
    return kept.key === key ? kept.catalogue : undefined;
  } catch {
    // Missing or damaged: it is made again from its files.
    return undefined;
  }
}

export async function keepCatalogue(home: string, key: string, catalogue: Catalogue): Promise<void> {
  try {
    await replacePrivateFile(pathIn(home), `${JSON.stringify({ key, catalogue })}\n`);
  } catch {
    // It saves time next time, and nothing depends on it: a full disk is told of where it matters.
  }
}

const pathIn = (home: string): string => join(home, "cache/provider-catalogue.json");
