import { BenchtopError } from "@benchtop/protocol/errors";
import type { Koffi, NativeLibraries, Pointer } from "../ffi/library.ts";
import { listenToLog } from "../ffi/native-log.ts";
import { callAside } from "../ffi/native-process.ts";

/** Opens models to look at what they compute. Only for a child process: see `openForLongCalls`. */
export interface Evaluator {
  open(options: EvaluationOptions): Promise<EvaluatedModel>;
}

export interface EvaluationOptions {
  readonly path: string;
  readonly threads: number;
  /** At most what the model was trained with. */
  readonly contextTokens: number;
  /** Asked of every step of the computation with `asked`, whether its result is wanted, and told when it is there. */
  readonly observe?: (node: Pointer, asked: boolean) => boolean;
}

export interface EvaluatedModel {
  readonly vocabularySize: number;
  /** Put in front of every text; undefined for models that want none. */
  readonly beginning: number | undefined;
  /** Tokens to decode at once, so that their distributions take 64 MiB at most. */
  readonly batchTokens: number;
  tokenize(text: string): Int32Array;
  forget(): void;
  /**
   * Reads `tokens`, which follow what was read since `forget`. Gives the logits behind each token of `wanted` in order, a row
   * of the vocabulary's size each, valid until the next call.
   */
  read(tokens: Int32Array, wanted: readonly boolean[]): Promise<Float32Array>;
  close(): void;
}

/** After llama.h of the version in `knownVersion`. Everything is computed on the CPU: the same machine gives the same numbers. */
export function openEvaluator(libraries: NativeLibraries): Evaluator {
  const { koffi, llama } = libraries;
  const log = listenToLog(koffi, llama);
  const calls = declare(koffi, llama);
  checkLayout(calls.modelDefaults(), calls.contextDefaults());
  calls.backendInit();
  // A list of devices without one: no GPU, also where the library could use it.
  const noDevices = koffi.alloc("void *", 1) as bigint;
  new Uint8Array(koffi.view(noDevices, koffi.sizeof("void *"))).fill(0);

  async function openModel({ path, threads, contextTokens, observe }: EvaluationOptions): Promise<EvaluatedModel> {
    using _listening = log.listen(() => undefined);
    const model = (await callAside(calls.loadModel, path, {
      ...calls.modelDefaults(),
      devices: noDevices,
      n_gpu_layers: 0,
      check_tensors: true,
    })) as Pointer;
    if (model === null) throw unusable(path, log.firstError() || "llama.cpp cannot load it");
    // A number without sign in the file, and one with sign here.
    const trained = calls.trainedTokens(model) >>> 0;
    if (calls.hasEncoder(model) || !calls.hasDecoder(model))
      throw unusable(path, "it does not write text from left to right");
    if (contextTokens > trained) throw unusable(path, `it was trained with ${trained} tokens of context at most`);
    const vocabulary = calls.vocabularyOf(model);
    const vocabularySize = calls.vocabularySize(vocabulary);
    const batchTokens = batchTokensOf(vocabularySize, contextTokens);
    const observation = observe && guarded(observe);
    const observer = observation && koffi.register(observation.observe, koffi.pointer(calls.observer));
    const context = (await callAside(calls.newContext, model, {
      ...calls.contextDefaults(),
      n_ctx: contextTokens,
      n_batch: batchTokens,
      n_ubatch: batchTokens,
      n_seq_max: 1,
      n_threads: threads,
      n_threads_batch: threads,
      offload_kqv: false,
      op_offload: false,
      ...(observer !== undefined && { cb_eval: observer }),
    })) as Pointer;
    if (context === null) throw unusable(path, log.firstError() || "there is not enough memory for it");

    return {
      vocabularySize,
      beginning: calls.addsBeginning(vocabulary) ? calls.beginning(vocabulary) : undefined,
      batchTokens,
      tokenize(text) {
        const bytes = Buffer.from(text);
        // A token is a byte at least; there may be a mark at either end, and a space that some vocabularies put before a text.
        const tokens = new Int32Array(bytes.length + 16);
        const count = calls.tokenize(vocabulary, bytes, bytes.length, tokens, tokens.length, true, false);
        if (count < 0) throw unusable(path, "its vocabulary makes more tokens than a text has bytes");
        return tokens.slice(0, count);
      },
      forget: () => calls.clear(calls.memoryOf(context), true),
      async read(tokens, wanted) {
        const outputs = Int8Array.from(wanted, Number);
        using _listening = log.listen(() => undefined);
        const status = await callAside(calls.decode, context, {
          n_tokens: tokens.length,
          token: koffi.address(tokens),
          embd: null,
          pos: null,
          n_seq_id: null,
          seq_id: null,
          logits: koffi.address(outputs),
        });
        observation?.check();
        if (status !== 0) throw unusable(path, log.firstError() || `llama.cpp stopped (${String(status)})`);
        const rows = wanted.filter(Boolean).length;
        const logits = rows > 0 ? calls.logits(context) : null;
        if (logits === null) return new Float32Array(0);
        return new Float32Array(koffi.view(logits, rows * vocabularySize * 4));
      },
      close() {
        calls.freeContext(context);
        calls.freeModel(model);
      },
    };
  }
  return { open: openModel };
}

/** Structs of another layout would show here: values at both ends and in the middle that llama.cpp has of itself. */
function checkLayout(model: Struct, context: Struct): void {
  const known =
    model["devices"] === null &&
    model["split_mode"] === 1 &&
    model["kv_overrides"] === null &&
    model["check_tensors"] === false &&
    model["use_extra_bufts"] === true &&
    context["n_ctx"] === 512 &&
    context["n_batch"] === 2048 &&
    context["flash_attn_type"] === -1 &&
    context["cb_eval"] === null &&
    context["type_k"] === f16 &&
    context["type_v"] === f16 &&
    context["offload_kqv"] === true &&
    context["ctx_other"] === null;
  if (known) return;
  throw new BenchtopError(
    "PROVIDER_UNAVAILABLE",
    "The installed llama.cpp takes other options than this Benchtop knows. Install the version of node-llama-cpp that Benchtop names in its package.json.",
    { phase: "job", retryable: false },
  );
}

/** Of `enum ggml_type`. */
const f16 = 1;

/** Distributions of 250,000 tokens come 67 at a time, those of 500 come 512 at a time. */
function batchTokensOf(vocabularySize: number, contextTokens: number): number {
  const fitting = Math.floor((64 * 2 ** 20) / (4 * vocabularySize));
  return Math.max(1, Math.min(fitting, contextTokens, 512));
}

/** What is thrown into native code is lost there, so it is kept until the call returns. */
function guarded(observe: (node: Pointer, asked: boolean) => boolean) {
  let failure: Error | undefined;
  return {
    observe: (node: Pointer, asked: boolean): boolean => {
      try {
        // Asked, it says whether the result is wanted; told, whether to go on.
        return failure === undefined && (observe(node, asked) || !asked);
      } catch (error) {
        failure = error instanceof Error ? error : new Error("The observer failed.", { cause: error });
        return false;
      }
    },
    check(): void {
      if (failure !== undefined) throw failure;
    },
  };
}

function unusable(path: string, why: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `This model cannot be evaluated: ${why}.`, {
    phase: "job",
    detail: { path },
  });
}

type Struct = Readonly<Record<string, number | boolean | Pointer>>;

function declare(koffi: Koffi, llama: NativeLibraries["llama"]) {
  const observer = koffi.proto("bool llama_observer(void *node, bool asked, void *data)");
  const model = koffi.struct(modelParams);
  const context = koffi.struct(contextParams);
  const batch = koffi.struct(batchFields);
  return {
    observer,
    backendInit: llama.func("llama_backend_init", "void", []) as () => void,
    modelDefaults: llama.func("llama_model_default_params", model, []) as () => Struct,
    contextDefaults: llama.func("llama_context_default_params", context, []) as () => Struct,
    loadModel: llama.func("llama_model_load_from_file", "void *", ["str", model]),
    newContext: llama.func("llama_init_from_model", "void *", ["void *", context]),
    freeModel: llama.func("llama_model_free", "void", ["void *"]) as (model: Pointer) => void,
    freeContext: llama.func("llama_free", "void", ["void *"]) as (context: Pointer) => void,
    trainedTokens: llama.func("llama_model_n_ctx_train", "int32_t", ["void *"]) as (model: Pointer) => number,
    hasEncoder: llama.func("llama_model_has_encoder", "bool", ["void *"]) as (model: Pointer) => boolean,
    hasDecoder: llama.func("llama_model_has_decoder", "bool", ["void *"]) as (model: Pointer) => boolean,
    vocabularyOf: llama.func("llama_model_get_vocab", "void *", ["void *"]) as (model: Pointer) => Pointer,
    vocabularySize: llama.func("llama_vocab_n_tokens", "int32_t", ["void *"]) as (vocabulary: Pointer) => number,
    addsBeginning: llama.func("llama_vocab_get_add_bos", "bool", ["void *"]) as (vocabulary: Pointer) => boolean,
    beginning: llama.func("llama_vocab_bos", "int32_t", ["void *"]) as (vocabulary: Pointer) => number,
    tokenize: llama.func("llama_tokenize", "int32_t", [
      "void *",
      // Not a string: those have to fit into koffi's own memory.
      "void *",
      "int32_t",
      koffi.out("int32_t *"),
      "int32_t",
      "bool",
      "bool",
    ]) as (
      vocabulary: Pointer,
      text: Uint8Array,
      bytes: number,
      tokens: Int32Array,
      space: number,
      addSpecial: boolean,
      parseSpecial: boolean,
    ) => number,
    memoryOf: llama.func("llama_get_memory", "void *", ["void *"]) as (context: Pointer) => Pointer,
    clear: llama.func("llama_memory_clear", "void", ["void *", "bool"]) as (memory: Pointer, data: boolean) => void,
    decode: llama.func("llama_decode", "int32_t", ["void *", batch]),
    logits: llama.func("llama_get_logits", "void *", ["void *"]) as (context: Pointer) => Pointer,
  };
}

const modelParams = {
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
} as const;

const contextParams = {
  n_ctx: "uint32_t",
  n_batch: "uint32_t",
  n_ubatch: "uint32_t",
  n_seq_max: "uint32_t",
  n_rs_seq: "uint32_t",
  n_outputs_max: "uint32_t",
  n_outputs_max_per_seq: "uint32_t",
  n_threads: "int32_t",
  n_threads_batch: "int32_t",
  ctx_type: "int",
  rope_scaling_type: "int",
  pooling_type: "int",
  attention_type: "int",
  flash_attn_type: "int",
  rope_freq_base: "float",
  rope_freq_scale: "float",
  yarn_ext_factor: "float",
  yarn_attn_factor: "float",
  yarn_beta_fast: "float",
  yarn_beta_slow: "float",
  yarn_orig_ctx: "uint32_t",
  defrag_thold: "float",
  cb_eval: "void *",
  cb_eval_user_data: "void *",
  type_k: "int",
  type_v: "int",
  abort_callback: "void *",
  abort_callback_data: "void *",
  embeddings: "bool",
  offload_kqv: "bool",
  no_perf: "bool",
  op_offload: "bool",
  swa_full: "bool",
  kv_unified: "bool",
  samplers: "void *",
  n_samplers: "size_t",
  ctx_other: "void *",
} as const;

const batchFields = {
  n_tokens: "int32_t",
  token: "void *",
  embd: "void *",
  pos: "void *",
  n_seq_id: "void *",
  seq_id: "void *",
  logits: "void *",
} as const;
