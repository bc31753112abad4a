import { openNativeLibraries } from "../src/ffi/library.ts";
import { fileTypes, tensorTypes } from "../src/gguf/layout.ts";

/** Prints what the libraries of llama.cpp say of the types of weights and of files. */
const { base, llama } = await openNativeLibraries();
const name = base.func("ggml_type_name", "str", ["int"]);
const blockWeights = base.func("ggml_blck_size", "int64", ["int"]);
const blockBytes = base.func("ggml_type_size", "size_t", ["int"]);
const fileType = llama.func("llama_ftype_name", "str", ["int"]);
const last = Math.max(...tensorTypes.map((type) => type.number));
const types = Array.from({ length: last + 1 }, (_, number) => ({
  number,
  name: String(name(number)).toUpperCase(),
  blockWeights: Number(blockWeights(number)),
  blockBytes: Number(blockBytes(number)),
}));
const files = Object.keys(fileTypes).map((number) => [number, String(fileType(Number(number)))]);
process.stdout.write(JSON.stringify({ types, files: Object.fromEntries(files) as Record<string, string> }));
