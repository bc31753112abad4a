import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeGguf, type GgufField } from "@benchtop/llama/gguf";

export interface GgufFileOptions {
  /** Of the weights; the header comes to a few hundred more. */
  readonly bytes?: number;
  /** Another seed makes other weights. */
  readonly seed?: number;
  readonly fields?: Readonly<Record<string, GgufField>>;
}

/** A GGUF file that is sound and says what models say, with weights that mean nothing. */
export async function ggufBytes({ bytes = 64 * 1024, seed = 1, fields = {} }: GgufFileOptions = {}): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), "benchtop-gguf-"));
  try {
    const path = join(folder, "model.gguf");
    const metadata: Record<string, GgufField> = {
      "general.architecture": { type: "string", value: "llama" },
      "general.name": { type: "string", value: "Tiny" },
      "general.license": { type: "string", value: "apache-2.0" },
      "general.file_type": { type: "u32", value: 0 },
      "llama.context_length": { type: "u32", value: 512 },
      "tokenizer.chat_template": { type: "string", value: "{{ messages }}" },
      ...fields,
    };
    await writeGguf(path, {
      metadata,
      tensors: [{ name: "token_embd.weight", shape: [Math.ceil(bytes / 4)], type: "F32", data: noise(bytes, seed) }],
    });
    return readFileSync(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The parts of one model: each says which it is. */
export async function ggufParts(count: number): Promise<Buffer[]> {
  const parts: Buffer[] = [];
  for (let index = 0; index < count; index++) {
    const folder = mkdtempSync(join(tmpdir(), "benchtop-gguf-"));
    const path = join(folder, "part.gguf");
    await writeGguf(path, {
      metadata: {
        ...(index === 0 && { "general.architecture": { type: "string", value: "llama" } as const }),
        "split.no": { type: "u16", value: index },
        "split.count": { type: "u16", value: count },
        "split.tensors.count": { type: "i32", value: count },
      },
      tensors: [{ name: `blk.${index}.weight`, shape: [4096], type: "F32", data: noise(16_384, index + 10) }],
    });
    parts.push(readFileSync(path));
    rmSync(folder, { recursive: true, force: true });
  }
  return parts;
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The same for a seed on every machine. */
function noise(bytes: number, seed: number): Uint8Array {
  const buffer = Buffer.alloc(Math.ceil(bytes / 4) * 4);
  let state = seed * 2_654_435_761;
  for (let at = 0; at < buffer.length; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    buffer.writeUInt32LE(state, at);
  }
  return buffer;
}
