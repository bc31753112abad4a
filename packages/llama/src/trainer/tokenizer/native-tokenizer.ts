import type { NativeVocabulary } from "../../ffi/vocabulary.ts";
import type { ChatMessage } from "../data/examples.ts";
import { refusal } from "../data/refusal.ts";
import { chatMl, type ChatPart, type Tokenizer } from "./tokenizer.ts";
import { specialTokens } from "./vocabulary.ts";

/** The tokenizer of a model that there is. */
export function nativeTokenizer(vocabulary: NativeVocabulary, template: string | undefined): Tokenizer {
  const encode = (text: string): number[] => vocabulary.tokenize(text, { special: false });
  const special = (token: string): number | undefined => {
    const ids = vocabulary.tokenize(token, { special: true });
    return ids.length === 1 ? ids[0] : undefined;
  };
  const endOfText = special(specialTokens.endOfText) ?? vocabulary.end;
  if (endOfText === undefined) throw refusal("The model's vocabulary has no token that ends a text.");
  const [start, end] = [special(specialTokens.start), special(specialTokens.end)];
  const isChatMl = template?.includes(specialTokens.start) === true && !template.includes("<|im_sep|>");
  const begin = vocabulary.addsBegin && vocabulary.begin !== undefined ? [vocabulary.begin] : [];
  const begun = (parts: readonly ChatPart[]): ChatPart[] =>
    parts.map((part, at) => (at === 0 ? { ...part, tokens: [...begin, ...part.tokens] } : part));
  return {
    vocabularySize: vocabulary.size,
    endOfText,
    encode,
    chat(messages) {
      if (template === undefined) {
        throw refusal("The model has no chat template. Train it with `prompt` and `completion`, or with `text`.");
      }
      if (isChatMl && start !== undefined && end !== undefined) return begun(chatMl(messages, { start, end, encode }));
      return begun(rendered(vocabulary, template, messages));
    },
  };
}

/** What is new in the text with an answer, against the text that asks for it, is the answer. */
function rendered(vocabulary: NativeVocabulary, template: string, messages: readonly ChatMessage[]): ChatPart[] {
  const render = (count: number, answerFollows: boolean): string => {
    const text = vocabulary.render(template, messages.slice(0, count), { answerFollows });
    if (text === undefined) {
      throw refusal(
        "The model's chat template is none that llama.cpp knows by itself. Train it with `prompt` and `completion`, written as the template writes them.",
      );
    }
    return text;
  };
  const parts: ChatPart[] = [];
  let done = "";
  const go = (text: string, counts: boolean): void => {
    if (!text.startsWith(done))
      throw refusal("The model's chat template rewrites earlier messages, so it cannot be learnt from.");
    parts.push({ tokens: vocabulary.tokenize(text.slice(done.length), { special: true }), counts });
    done = text;
  };
  for (const [at, { role }] of messages.entries()) {
    if (role !== "assistant") continue;
    go(render(at, true), false);
    const answered = render(at + 1, false);
    // The line end that many templates write after the token that ends the answer is no part of it.
    go(answered.endsWith("\n") ? answered.slice(0, -1) : answered, true);
  }
  return parts;
}
