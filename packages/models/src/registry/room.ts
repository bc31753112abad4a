import { statfs } from "node:fs/promises";
import type { BenchtopError } from "@benchtop/protocol";
import type { KeptModel } from "./descriptor.ts";
import type { ModelFolders } from "./model-folders.ts";
import { refusal, sizeInWords } from "./refusals.ts";

/** What local models take of the disk. Nothing is ever deleted to make room; `suggestions` are what one could remove. */
export interface ModelStorage {
  readonly usedBytes: number;
  /** Null for no limit. */
  readonly quotaBytes: number | null;
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Less than a twentieth of the disk is free. */
  readonly lowDisk: boolean;
  /** Not pinned, the least recently used first; as many as would make the room that is missing. */
  readonly suggestions: readonly { readonly name: string; readonly bytes: number; readonly usedAt: string | null }[];
}

/** What is about to come. */
export interface RoomNeeded {
  readonly bytes: number;
  /** Of these bytes, those that the disk has given already. */
  readonly onDisk?: number;
  /** What downloads that have begun will still take: of the quota, and of the disk. */
  readonly reserved?: { readonly quota: number; readonly disk: number };
}

const lowShare = 0.05;

/** How things would be with what is needed. */
export async function storageOf(
  folders: ModelFolders,
  models: readonly KeptModel[],
  quotaBytes: number | null,
  needed: RoomNeeded,
): Promise<ModelStorage & { readonly missing: "quota" | "disk" | null }> {
  const usedBytes = await folders.usedBytes(models);
  const disk = await statfs(folders.root);
  const freeBytes = disk.bavail * disk.bsize;
  const totalBytes = disk.blocks * disk.bsize;
  const { bytes, onDisk = 0, reserved = { quota: 0, disk: 0 } } = needed;
  const overQuota = quotaBytes === null ? 0 : usedBytes + reserved.quota + bytes - quotaBytes;
  const overDisk = bytes === 0 ? 0 : reserved.disk + bytes - onDisk - freeBytes;
  const missingBytes = Math.max(0, overQuota, overDisk);
  const low = Math.max(0, totalBytes * lowShare - freeBytes);
  return {
    usedBytes,
    quotaBytes,
    freeBytes,
    totalBytes,
    lowDisk: low > 0,
    suggestions: await suggestionsFor(folders, models, Math.max(missingBytes, low)),
    missing: missingBytes === 0 ? null : overQuota > 0 ? "quota" : "disk",
  };
}

async function suggestionsFor(
  folders: ModelFolders,
  models: readonly KeptModel[],
  missingBytes: number,
): Promise<ModelStorage["suggestions"]> {
  const longestUnused = models
    .map(({ model }) => model)
    .filter(({ pinned }) => !pinned)
    .toSorted((a, b) => ((a.usedAt ?? a.installedAt) < (b.usedAt ?? b.installedAt) ? -1 : 1));
  const suggestions = [];
  let missing = missingBytes;
  for (const { name, usedAt } of longestUnused) {
    if (missing <= 0) break;
    const model = models.find((each) => each.model.name === name);
    const bytes = model ? await folders.freedBy(model) : 0;
    if (bytes === 0) continue;
    suggestions.push({ name, bytes, usedAt });
    missing -= bytes;
  }
  return suggestions;
}

/** `DISK_FULL` for what does not fit, naming what could be removed. */
export function noRoom(storage: ModelStorage, bytes: number, missing: "quota" | "disk"): BenchtopError {
  const { quotaBytes, usedBytes, freeBytes, suggestions } = storage;
  const names = suggestions.map(({ name }) => name);
  const found =
    missing === "quota"
      ? `Local models may take ${sizeInWords(quotaBytes ?? 0)} and take ${sizeInWords(usedBytes)}; this one has ${sizeInWords(bytes)}.`
      : `This model has ${sizeInWords(bytes)}, and ${sizeInWords(freeBytes)} of the disk are free, not all of them for it.`;
  const remove =
    names.length === 0
      ? "Make room on the disk"
      : `Remove what is not needed (used least recently: ${names.join(", ")})`;
  return refusal(
    "DISK_FULL",
    `${found} ${remove}${missing === "quota" ? ", or raise the quota" : ""}, and try again.`,
    {
      detail: {
        needed_bytes: bytes,
        used_bytes: usedBytes,
        quota_bytes: quotaBytes,
        free_bytes: freeBytes,
        suggestions: names,
      },
    },
  );
}
