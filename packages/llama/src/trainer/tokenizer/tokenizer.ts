import type { ChatMessage } from "../data/examples.ts";
import { newEncoder, specialTokens, type Vocabulary } from "./vocabulary.ts";

/** Turns examples into the tokens that the model will see at inference, and says which of them it has to write itself. */
export interface Tokenizer {
  readonly vocabularySize: number;
  /** What comes after a text that is over. */
  readonly endOfText: number;
  encode(text: string): readonly number[];
  /** A conversation as the chat template writes it. What the assistant says counts, with the token that ends it. */
  chat(messages: readonly ChatMessage[]): readonly ChatPart[];
}

export interface ChatPart {
  readonly tokens: readonly number[];
  readonly counts: boolean;
}

export function newTokenizer(vocabulary: Vocabulary): Tokenizer {
  const special = (token: string): number => vocabulary.tokens.indexOf(token);
  const encode = newEncoder(vocabulary);
  return {
    vocabularySize: vocabulary.tokens.length,
    endOfText: special(specialTokens.endOfText),
    encode,
    chat: (messages) =>
      chatMl(messages, { start: special(specialTokens.start), end: special(specialTokens.end), encode }),
  };
}

/**
 * ChatML: `<|im_start|>role\ntext<|im_end|>\n`. What stands between special tokens is encoded in one piece, except that an answer
 * begins a piece of its own, since at inference it is what the model writes after the prompt was encoded.
 */
export function chatMl(
  messages: readonly ChatMessage[],
  { start, end, encode }: { start: number; end: number; encode: (text: string) => readonly number[] },
): ChatPart[] {
  const lineEnd = encode("\n");
  return messages.flatMap(({ role, content }, at) => {
    const before = [...(at === 0 ? [] : lineEnd), start];
    if (role !== "assistant") return [{ tokens: [...before, ...encode(`${role}\n${content}`), end], counts: false }];
    return [
      { tokens: [...before, ...encode(`${role}\n`)], counts: false },
      { tokens: [...encode(content), end], counts: true },
    ];
  });
}

/** The template of `chatMl`, as GGUF files carry it. */
export const chatMlTemplate =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
