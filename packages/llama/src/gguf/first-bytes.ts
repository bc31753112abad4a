import type { BenchtopError } from "@benchtop/protocol/errors";
import { refusal } from "./refusal.ts";

/** Bytes of a file's start that are enough to tell what it is. */
export const tellingBytes = 512;

/** Says what a file is that is no GGUF file, and what to do about it. */
export function notGguf(start: Uint8Array): BenchtopError {
  const bytes = Buffer.from(start.buffer, start.byteOffset, start.byteLength);
  const [what, advice] = recognise(bytes);
  return refusal(`This is no GGUF model: ${what}. ${advice}`);
}

type Answer = readonly [what: string, advice: string];

function recognise(bytes: Buffer): Answer {
  if (bytes.length === 0) return ["the file is empty", again];
  const latin = bytes.toString("latin1");
  const known = signatures.find(([at, signature]) => latin.startsWith(signature, at));
  if (known) return known[2];
  if (bytes.every((value) => value === 0))
    return ["it begins with zeros, as a download does that was never finished", again];
  // The length of a JSON header in 8 bytes, then the header.
  if (bytes.length > 8 && latin[8] === "{" && bytes.readUInt32LE(4) === 0) return ["it is a safetensors file", convert];
  return (
    recogniseText(
      latin
        .replace(/^\u00ef\u00bb\u00bf/, "")
        .trimStart()
        .toLowerCase(),
    ) ?? unknown(latin)
  );
}

function recogniseText(text: string): Answer | undefined {
  if (text.startsWith("version https://git-lfs")) {
    return ["it is a Git LFS pointer, which only names the file", "Fetch the file itself with `git lfs pull`."];
  }
  if (text.startsWith("/annex/objects/")) {
    return ["it is a git-annex pointer, which only names the file", "Fetch the file itself with `git annex get`."];
  }
  if (/^<(!doctype html|html|head|body|!--)/.test(text)) {
    return [
      "it is a web page (HTML), most likely an error or a login page",
      "Check the address and download it again.",
    ];
  }
  if (text.startsWith("<"))
    return ["it is XML, most likely an error of the server", "Check the address and download it again."];
  if (/^[{[]/.test(text)) {
    return ["it is JSON: an answer of a server, or a list of a model's files", "Choose the .gguf file itself."];
  }
  return undefined;
}

function unknown(latin: string): Answer {
  // oxlint-disable-next-line no-control-regex -- Control characters tell bytes from text.
  if (/^[\t\n\r\x20-\x7e\x80-\xff]+$/.test(latin)) return ["it is a text", "Choose the .gguf file itself."];
  return ["it does not begin as one", "Choose a .gguf file; if it is meant to be one, download it again."];
}

const again = "Download it again.";
const convert = "Convert it to GGUF first, or choose a GGUF version of the model.";
const unpack = "Unpack it first.";
const old = "It is older than GGUF; convert the original model again, or choose a newer file of it.";

const signatures: readonly (readonly [at: number, signature: string, answer: Answer])[] = [
  [0, "PK\x03\x04", ["it is a ZIP archive, which PyTorch's .bin and .pt files are too", convert]],
  [0, "PK\x05\x06", ["it is an empty ZIP archive", again]],
  [0, "\x1f\x8b", ["it is compressed with gzip", unpack]],
  [0, "\x28\xb5\x2f\xfd", ["it is compressed with Zstandard", unpack]],
  [0, "\xfd7zXZ", ["it is compressed with xz", unpack]],
  [0, "BZh", ["it is compressed with bzip2", unpack]],
  [0, "7z\xbc\xaf", ["it is a 7-Zip archive", unpack]],
  [0, "Rar!", ["it is a RAR archive", unpack]],
  [257, "ustar", ["it is a tar archive", unpack]],
  [0, "\x80\x02", ["it is a Python pickle, which can run programs when it is opened", convert]],
  [0, "\x80\x04", ["it is a Python pickle, which can run programs when it is opened", convert]],
  [0, "\x89HDF", ["it is an HDF5 file (Keras)", convert]],
  [4, "TFL3", ["it is a TensorFlow Lite model", convert]],
  [0, "\x08\x03\x12", ["it looks like an ONNX model", convert]],
  [0, "\x7fELF", ["it is a program", "Choose the .gguf file itself."]],
  [0, "MZ", ["it is a program", "Choose the .gguf file itself."]],
  [0, "%PDF", ["it is a PDF document", "Choose the .gguf file itself."]],
  [0, "lmgg", ["it is a GGML file", old]],
  [0, "fmgg", ["it is a GGMF file", old]],
  [0, "tjgg", ["it is a GGJT file", old]],
  [0, "algg", ["it is a GGLA adapter", old]],
];
