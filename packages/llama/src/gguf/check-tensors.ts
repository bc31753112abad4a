import type { GgufTensor } from "./gguf.ts";
import { padded } from "./layout.ts";
import { refusal } from "./refusal.ts";

/**
 * Every tensor lies where the one before it ends, as llama.cpp asks, so that no two share bytes; and all lie in the file.
 * Throws `VALIDATION_FAILED`.
 */
export function checkTensors(
  tensors: readonly GgufTensor[],
  file: { readonly dataOffset: number; readonly alignment: number; readonly fileBytes: number },
): void {
  const names = new Set<string>();
  let end = 0;
  for (const tensor of tensors) {
    if (names.has(tensor.name)) throw refusal(`The GGUF file has the tensor \`${tensor.name}\` twice.`);
    names.add(tensor.name);
    const due = padded(end, file.alignment);
    if (tensor.offset % file.alignment !== 0)
      throw refusal(`The tensor \`${tensor.name}\` does not begin where one may.`);
    if (tensor.offset < due) throw refusal(`The tensor \`${tensor.name}\` lies over another one.`);
    if (tensor.offset > due && file.dataOffset + tensor.offset + tensor.bytes <= file.fileBytes) {
      throw refusal(`There is a gap before the tensor \`${tensor.name}\`, which llama.cpp does not read.`);
    }
    end = tensor.offset + tensor.bytes;
    if (file.dataOffset + end > file.fileBytes) {
      throw refusal(
        `The GGUF file is cut off: the tensor \`${tensor.name}\` ends beyond the end of the file. Download or copy it again.`,
        { fileBytes: file.fileBytes },
      );
    }
  }
}
