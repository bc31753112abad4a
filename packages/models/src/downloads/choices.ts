import { sha256Of } from "../registry/model-rows.ts";
import type { LocalModel } from "../registry/descriptor.ts";
import type { ModelStorage } from "../registry/room.ts";
import { requestText, type ModelRequest } from "../registry/source-text.ts";
import { bytesOf, type Offer, type OfferedFile } from "./offer.ts";

/** A model that a source has, and whether it would fit here. */
export interface ModelChoice {
  readonly request: ModelRequest;
  /** The request in words. */
  readonly source: string;
  readonly title: string;
  readonly quantization: string | null;
  readonly suggestedName: string;
  readonly files: readonly { readonly path: string; readonly bytes: number | null; readonly sha256: string | null }[];
  /** Null where the source does not tell. */
  readonly bytes: number | null;
  readonly fitsDisk: boolean | null;
  readonly fitsMemory: boolean | null;
  /** The name that it is installed under already. */
  readonly installed: string | null;
}

/** What llama.cpp takes beside the weights, for a short context. */
const besideWeights = { share: 0.1, bytes: 300 * 1024 * 1024 };

export function choicesFrom(
  offers: readonly Offer[],
  here: {
    readonly storage: ModelStorage;
    readonly reserved: { readonly quota: number; readonly disk: number };
    readonly memoryBytes: number;
    readonly installed: readonly LocalModel[];
  },
): ModelChoice[] {
  const { storage, reserved, memoryBytes, installed } = here;
  const free = storage.freeBytes - reserved.disk;
  const within =
    storage.quotaBytes === null ? free : Math.min(free, storage.quotaBytes - storage.usedBytes - reserved.quota);
  return offers.map((offer) => {
    const bytes = bytesOf(offer.files);
    return {
      request: offer.request,
      source: requestText(offer.request),
      title: offer.title,
      quantization: offer.quantization,
      suggestedName: offer.suggestedName,
      files: offer.files.map(({ name, bytes, sha256 }) => ({ path: name, bytes, sha256 })),
      bytes,
      fitsDisk: bytes === null ? null : bytes <= within,
      fitsMemory: bytes === null ? null : bytes * (1 + besideWeights.share) + besideWeights.bytes <= memoryBytes,
      installed: installedAs(offer.files, installed),
    };
  });
}

function installedAs(files: readonly OfferedFile[], installed: readonly LocalModel[]): string | null {
  const hashed = files.flatMap(({ name, bytes, sha256, role }) =>
    sha256 === null ? [] : [{ path: name, bytes: bytes ?? 0, sha256, role }],
  );
  if (hashed.length !== files.length) return null;
  const sha256 = sha256Of(hashed);
  return installed.find((model) => model.sha256 === sha256)?.name ?? null;
}
