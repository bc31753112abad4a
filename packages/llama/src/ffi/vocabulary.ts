import { BenchtopError } from "@benchtop/protocol/errors";
import type { NativeLibraries, Pointer } from "./library.ts";

/** The vocabulary of a GGUF file, by llama.cpp itself: of any kind, and with exactly the tokens that it will see at inference. */
export interface NativeVocabulary {
  readonly size: number;
  /** Undefined where the vocabulary has none. */
  readonly begin: number | undefined;
  readonly end: number | undefined;
  readonly addsBegin: boolean;
  /** `special` recognises special tokens in the text; without it they are text like any other. */
  tokenize(text: string, options: { readonly special: boolean }): number[];
  /**
   * A conversation as the file's chat template writes it. llama.cpp knows the common templates and interprets none: undefined for
   * one that it does not know.
   */
  render(
    template: string,
    messages: readonly { readonly role: string; readonly content: string }[],
    options: { readonly answerFollows: boolean },
  ): string | undefined;
}

/** Opens the vocabulary without the weights. Only for a child process: see `openNativeLibraries`. */
export function openVocabulary({ koffi, llama }: NativeLibraries, path: string): NativeVocabulary {
  // After `struct llama_model_params` of llama.h, of the version in `knownVersion`.
  const parameters = koffi.struct({
    devices: "void *",
    tensor_buft_overrides: "void *",
    n_gpu_layers: "int32_t",
    split_mode: "int",
    load_mode: "int",
    lazy_mode: "int",
    main_gpu: "int32_t",
    tensor_split: "void *",
    progress_callback: "void *",
    progress_callback_user_data: "void *",
    kv_overrides: "void *",
    vocab_only: "bool",
    check_tensors: "bool",
    use_extra_bufts: "bool",
    no_host: "bool",
    no_alloc: "bool",
    load_mtp: "bool",
  });
  const defaults = llama.func("llama_model_default_params", parameters, []);
  const load = llama.func("llama_model_load_from_file", "void *", ["str", parameters]);
  const model = load(path, { ...(defaults() as object), n_gpu_layers: 0, vocab_only: true }) as Pointer;
  if (model === null) {
    throw new BenchtopError("VALIDATION_FAILED", "llama.cpp cannot read the vocabulary of this model.", {
      phase: "job",
    });
  }
  const vocabulary = llama.func("llama_model_get_vocab", "void *", ["void *"])(model) as Pointer;
  const number = (name: string): number => llama.func(name, "int32_t", ["void *"])(vocabulary) as number;
  const token = (name: string): number | undefined => (number(name) < 0 ? undefined : number(name));
  const tokens = koffi.out(koffi.pointer("int32_t"));
  const tokenize = llama.func("llama_tokenize", "int32_t", [
    "void *",
    "void *",
    "int32_t",
    tokens,
    "int32_t",
    "bool",
    "bool",
  ]);
  const message = koffi.struct({ role: "str", content: "str" });
  const render = llama.func("llama_chat_apply_template", "int32_t", [
    "str",
    koffi.pointer(message),
    "size_t",
    "bool",
    koffi.out(koffi.pointer("uint8_t")),
    "int32_t",
  ]);
  return {
    size: number("llama_vocab_n_tokens"),
    begin: token("llama_vocab_bos"),
    end: token("llama_vocab_eos"),
    addsBegin: llama.func("llama_vocab_get_add_bos", "bool", ["void *"])(vocabulary) as boolean,
    tokenize(text, { special }) {
      const bytes = Buffer.from(text);
      // A token is at least a byte long, but for a space that some vocabularies put before a text.
      const found = new Int32Array(bytes.length + 8);
      const count = tokenize(vocabulary, bytes, bytes.length, found, found.length, false, special) as number;
      if (count < 0) throw new Error(`llama_tokenize wants room for ${-count} tokens`);
      return Array.from(found.subarray(0, count));
    },
    render(template, messages, { answerFollows }) {
      const plain = messages.map(({ role, content }) => ({ role, content }));
      const room = plain.reduce((sum, { role, content }) => sum + Buffer.byteLength(role + content) + 256, 1024);
      const buffer = new Uint8Array(room);
      const length = render(template, plain, plain.length, answerFollows, buffer, room) as number;
      if (length < 0 || length > room) return undefined;
      return Buffer.from(buffer.buffer, 0, length).toString();
    },
  };
}
