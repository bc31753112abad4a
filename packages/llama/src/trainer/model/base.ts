import type { Ggml } from "../../ffi/ggml.ts";
import type { GgufField } from "../../gguf/field.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Architecture } from "./architecture.ts";
import type { ParameterStore } from "./store.ts";

/** What training begins with. */
export interface Base {
  readonly architecture: Architecture;
  readonly tokenizer: Tokenizer;
  /** Puts the weights there that it begins with. */
  load(ggml: Ggml, store: ParameterStore): Promise<void>;
  /** What a GGUF file of the trained model says of it, but for its name and the like. */
  readonly metadata: ReadonlyMap<string, GgufField>;
  /** What tells it from another base, for resuming. */
  readonly fingerprint: string;
}
