import type { ChatWrapper, LlamaModel as NativeModel } from "node-llama-cpp";
import type { GgufHeader } from "../gguf/gguf.ts";
import type { LlamaLibrary } from "./load.ts";

/** How conversations with a model are written. */
export interface Template {
  /** Undefined where the template of the file cannot be used. */
  readonly wrapper: ChatWrapper | undefined;
  readonly problem: string | undefined;
  /** It comes from the file of the model. */
  readonly ofFile: boolean;
  /** It says how tools are offered and called. */
  readonly supportsTools: boolean;
}

/**
 * Found once for each model: to find it takes a third of a second, for node-llama-cpp compares what the template of the file
 * (`tokenizer.chat_template`, Jinja) makes of conversations with what its own wrappers make of them, which know more of some
 * models' ways to think and to call. A template with none of their marks can only be its own.
 *
 * A model without a template was not trained to chat; it is asked to continue a plain transcript, with `### Human` and
 * `### Assistant` above the turns.
 */
export function resolveTemplate(library: LlamaLibrary, model: NativeModel, header: GgufHeader): Template {
  const template = header.metadata.get("tokenizer.chat_template");
  if (typeof template !== "string" || template.trim() === "") {
    return { wrapper: new library.GeneralChatWrapper(), problem: undefined, ofFile: false, supportsTools: false };
  }
  try {
    const wrapper = marks.some((mark) => template.includes(mark))
      ? resolve(library, model, template)
      : itself(library, model, template);
    return { wrapper, problem: undefined, ofFile: true, supportsTools: /\btools\b/.test(template) };
  } catch (error) {
    const problem = error instanceof Error ? error.message.split("\n")[0]?.slice(0, 200) : undefined;
    return { wrapper: undefined, problem: problem ?? "unknown", ofFile: false, supportsTools: false };
  }
}

function itself(library: LlamaLibrary, model: NativeModel, template: string): ChatWrapper {
  try {
    return new library.JinjaTemplateChatWrapper({ template, tokenizer: model.tokenizer });
  } catch {
    // llama.cpp's own reader of Jinja may know what the other does not.
    return resolve(library, model, template);
  }
}

function resolve(library: LlamaLibrary, model: NativeModel, template: string): ChatWrapper {
  // The names of the wrappers are tried in the order in which the name of the file suggests them. The plain ChatML of many small
  // models would be the last but few, after a third of a second.
  const plain = template.includes("<|im_start|>") && !/tool|think|reasoning/.test(template);
  const wrapper = library.resolveChatWrapper({
    type: "auto",
    tokenizer: model.tokenizer,
    bosString: model.tokens.bosString,
    architecture: model.architecture,
    fileInfo: model.fileInfo,
    llama: model.llama,
    filename: plain ? "chatML.gguf" : (model.filename ?? ""),
    fallbackToOtherWrappersOnJinjaError: false,
    warningLogs: false,
  });
  if (wrapper === null) throw new Error("nothing of it is known");
  return wrapper;
}

/** Texts of which every template that a wrapper of node-llama-cpp's stands for has at least one. */
const marks = [
  "<|im_start|>",
  "[INST]",
  "<|start_header_id|>",
  "<start_of_turn>",
  "<|turn>",
  "<|start|>",
  "<|channel|>",
  "<seed:",
  "<|User|>",
  "<｜User｜>",
  "### Instruction",
  "### Human",
  "User:",
  ">>>",
  "<|from|>",
];
