import type {
  ChatHistoryItem,
  ChatModelFunctions,
  ChatWrapper,
  ChatWrapperGenerateContextStateOptions,
  ChatWrapperGeneratedContextState,
  LlamaText,
  Token,
} from "node-llama-cpp";
import type { Json } from "@benchtop/protocol";
import { BenchtopError } from "@benchtop/protocol/errors";
import { callSchema } from "./call-schema.ts";
import { chatHistoryOf } from "./chat-history.ts";
import { refused } from "./check-request.ts";
import type { LlamaChatRequest } from "./llama-model.ts";
import type { LoadedModel } from "./load.ts";

/** A prompt as tokens, and what `LlamaChat` needs to write the same one and to read the answer. */
export interface Prompt {
  readonly tokens: readonly Token[];
  readonly history: ChatHistoryItem[];
  readonly functions: ChatModelFunctions | undefined;
  readonly wrapper: ChatWrapper;
}

/** Throws `VALIDATION_FAILED` where the template of the model refuses the conversation, and what is no text of one. */
export function chatPrompt(loaded: LoadedModel, request: LlamaChatRequest): Prompt {
  const { wrapper, problem } = loaded.template;
  if (!wrapper) {
    throw refused(
      `The chat template in the file of this model cannot be used (${problem}). It can complete texts only.`,
    );
  }
  const history = chatHistoryOf(request.messages);
  const tools = request.tools ?? [];
  const functions = tools.length > 0 ? functionsOf(tools, callSchema) : undefined;
  const offered = tools.length > 0 ? functionsOf(tools, describedSchema) : undefined;
  return written(loaded, wrapper, history, functions, offered);
}

/**
 * The token that begins every text is there where the file says so (`add_bos_token`) or its template writes it, as llama.cpp has
 * it: some wrappers write it always.
 */
function withBeginning({ library, model, header }: LoadedModel, text: LlamaText): LlamaText {
  const [first] = text.values;
  const begins = first instanceof library.SpecialToken && first.value === "BOS";
  const template = header.metadata.get("tokenizer.chat_template");
  if (begins) {
    const wanted =
      model.tokens.shouldPrependBosToken || (typeof template === "string" && template.includes("bos_token"));
    return wanted ? text : library.LlamaText(text.values.slice(1));
  }
  const { bosString, shouldPrependBosToken } = model.tokens;
  if (!shouldPrependBosToken || (bosString && first?.toString().startsWith(bosString))) return text;
  return library.LlamaText([new library.SpecialToken("BOS"), ...text.values]);
}

/** The text as it is: marks of the model's own template in it count as such, and its first token is put before it. */
export function textPrompt(loaded: LoadedModel, text: string): Prompt {
  const { library } = loaded;
  class TextWrapper extends library.ChatWrapper {
    readonly wrapperName = "Text";
    override generateContextState({
      chatHistory,
    }: ChatWrapperGenerateContextStateOptions): ChatWrapperGeneratedContextState {
      const answer = chatHistory.flatMap((item) => (item.type === "model" ? item.response : []));
      const answered = answer.filter((item) => typeof item === "string");
      const contextText = library.LlamaText([new library.SpecialTokensText(text), ...answered]);
      return { contextText, stopGenerationTriggers: [] };
    }
  }
  return written(loaded, new TextWrapper(), [{ type: "model", response: [] }], undefined, undefined);
}

/**
 * Writes the prompt once: how long it is decides whether it fits and which sequence knows most of it, and `LlamaChat` gets what
 * was written when it asks first. Later it asks for the conversation with the beginning of the answer, and is given that.
 */
function written(
  loaded: LoadedModel,
  wrapper: ChatWrapper,
  history: ChatHistoryItem[],
  functions: ChatModelFunctions | undefined,
  offered: ChatModelFunctions | undefined,
): Prompt {
  const { library, model } = loaded;
  const write = (chatHistory: readonly ChatHistoryItem[]): ChatWrapperGeneratedContextState => {
    const state = wrapper.generateContextState({ chatHistory, ...(offered && { availableFunctions: offered }) });
    return { ...state, contextText: withBeginning(loaded, state.contextText) };
  };
  const answered = itemsOfAnswer(history);
  let first: ChatWrapperGeneratedContextState | undefined = writeOrRefuse(() => write(history));
  class WrittenWrapper extends library.ChatWrapper {
    readonly wrapperName = wrapper.wrapperName;
    override readonly settings = wrapper.settings;
    override generateContextState({
      chatHistory,
    }: ChatWrapperGenerateContextStateOptions): ChatWrapperGeneratedContextState {
      const known = first;
      first = undefined;
      return known && itemsOfAnswer(chatHistory) === answered ? known : write(chatHistory);
    }
  }
  const tokens = first.contextText.tokenize(model.tokenizer);
  return { tokens, history, functions, wrapper: new WrittenWrapper() };
}

function writeOrRefuse(write: () => ChatWrapperGeneratedContextState): ChatWrapperGeneratedContextState {
  try {
    return write();
  } catch (cause) {
    throw new BenchtopError(
      "VALIDATION_FAILED",
      "The chat template of this model refuses this conversation. Many want one system message at the beginning, then user and assistant in turn.",
      { cause },
    );
  }
}

function itemsOfAnswer(history: readonly ChatHistoryItem[]): number {
  const last = history.at(-1);
  return last?.type === "model" ? last.response.length : -1;
}

function functionsOf(
  tools: NonNullable<LlamaChatRequest["tools"]>,
  schemaOf: (schema: Json) => ReturnType<typeof callSchema>,
): ChatModelFunctions {
  return Object.fromEntries(
    tools.map(({ name, description, inputSchema }) => {
      const params = schemaOf(inputSchema);
      return [name, { description, ...(params !== undefined && { params }) }];
    }),
  );
}

/** What the model is told of a tool is its own schema, more than a grammar can hold it to. */
function describedSchema(schema: Json): ReturnType<typeof callSchema> {
  return callSchema(schema) === undefined ? undefined : (schema as ReturnType<typeof callSchema>);
}
