import { createHash } from "node:crypto";
import { BenchtopError } from "@benchtop/protocol";
import type { Blobs } from "@benchtop/store";

/** One file of a manifest. `fileId` stays the same when its content changes and when it is published or restored. */
export interface ManifestEntry {
  readonly fileId: string;
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly mediaType: string;
  readonly opaque: boolean;
}

/** A state of a whole tree. Its identity is the sha256 of its canonical JSON, which is also the blob it is kept in. */
export interface Manifest {
  readonly hash: string;
  /** Sorted by path, by UTF-16 code unit. */
  readonly entries: readonly ManifestEntry[];
  readonly byPath: ReadonlyMap<string, ManifestEntry>;
  readonly totalBytes: number;
}

export function makeManifest(entries: Iterable<ManifestEntry>): Manifest {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const byPath = new Map(sorted.map((entry) => [entry.path, entry]));
  const hash = createHash("sha256").update(canonicalJson(sorted)).digest("hex");
  return { hash, entries: sorted, byPath, totalBytes: sorted.reduce((sum, entry) => sum + entry.bytes, 0) };
}

/** Keys in code-unit order, no white space: the same files give the same bytes everywhere. */
function canonicalJson(entries: readonly ManifestEntry[]): string {
  const files = entries.map(({ bytes, fileId, mediaType, opaque, path, sha256 }) => ({
    bytes,
    fileId,
    mediaType,
    opaque,
    path,
    sha256,
  }));
  return JSON.stringify({ files, version: 1 });
}

/** Manifests as blobs, with the few that are in use kept parsed. */
export class Manifests {
  readonly #blobs: Blobs;
  readonly #recent = new Map<string, Manifest>();

  constructor(blobs: Blobs) {
    this.#blobs = blobs;
  }

  /** Makes a manifest durable. Its files' blobs must be there already. */
  async save(manifest: Manifest): Promise<void> {
    await this.#blobs.put(Buffer.from(canonicalJson(manifest.entries)));
    this.#remember(manifest);
  }

  /** Throws `FILE_READ_FAILED` when the blob is missing or damaged. */
  async load(hash: string): Promise<Manifest> {
    const known = this.#recent.get(hash);
    if (known) {
      this.#remember(known);
      return known;
    }
    const manifest = parseManifest(hash, await this.#blobs.read(hash));
    this.#remember(manifest);
    return manifest;
  }

  #remember(manifest: Manifest): void {
    this.#recent.delete(manifest.hash);
    this.#recent.set(manifest.hash, manifest);
    if (this.#recent.size <= 16) return;
    const [oldest] = this.#recent.keys();
    if (oldest !== undefined) this.#recent.delete(oldest);
  }
}

function parseManifest(hash: string, bytes: Uint8Array): Manifest {
  const parsed: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
  if (!isManifestJson(parsed)) {
    throw new BenchtopError("FILE_READ_FAILED", "The list of files of this workbench has a form that is not known.", {
      phase: "workbench",
      detail: { manifest: hash },
    });
  }
  return makeManifest(parsed.files);
}

function isManifestJson(value: unknown): value is { files: ManifestEntry[] } {
  return typeof value === "object" && value !== null && "version" in value && value.version === 1 && "files" in value;
}
