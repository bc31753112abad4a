import type { ModelDefaults, ModelFile, ModelSource } from "../registry/descriptor.ts";
import type { ModelRequest } from "../registry/source-text.ts";

/** A file that a source has. */
export interface OfferedFile {
  /** What the source calls it: a path in a repository, a hash, a URL. */
  readonly at: string;
  /** Its name once it is installed. */
  readonly name: string;
  /** Null where the source does not tell before it is fetched. */
  readonly bytes: number | null;
  readonly sha256: string | null;
  readonly role: ModelFile["role"];
}

/** One model that a source has, in one file or several. */
export interface Offer {
  /** Asks for exactly this one. */
  readonly request: ModelRequest;
  readonly title: string;
  readonly quantization: string | null;
  readonly suggestedName: string;
  readonly source: ModelSource;
  readonly files: readonly OfferedFile[];
  readonly licence: string | null;
  readonly defaults: ModelDefaults | null;
}

/** What the name of a file says of its weights: `…-Q4_K_M.gguf`, `…-IQ3_XXS.gguf`, `….F16.gguf`. */
export function quantizationIn(name: string): string | null {
  const found = [
    ...name.matchAll(
      /(?<![A-Za-z0-9])((?:UD-)?(?:IQ|TQ|Q)\d(?:_[A-Z0-9]+)*|BF16|F16|F32|FP16|FP32|MXFP4(?:_MOE)?)(?![A-Za-z0-9])/gi,
    ),
  ];
  return found.at(-1)?.[1]?.toUpperCase() ?? null;
}

/** Bytes of all files; null where one is not known. */
export function bytesOf(files: readonly Pick<OfferedFile, "bytes">[]): number | null {
  let sum = 0;
  for (const { bytes } of files) {
    if (bytes === null) return null;
    sum += bytes;
  }
  return sum;
}
