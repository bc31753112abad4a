import { openaiChat, type ProviderAdapter } from "@benchtop/harness";
import { BenchtopError } from "@benchtop/protocol";
import { fieldsOf, listOf, textOf, type Fields } from "./fields.ts";
import { checkServed, type ExpectedModel } from "./served-model.ts";

/**
 * Another protocol than chat completions, in its terms. The one reader of chat completions then serves both, with its limits,
 * its errors and what it keeps from being shown.
 */
export interface ChatTranslation {
  /** Joined to the address of the server. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The request as the server wants it. Throws `VALIDATION_FAILED` for what it cannot be told. */
  bodyOf(request: ChatBody): object;
  /** What one document of the answer says. Nothing is sure about it. */
  read(document: Fields): ChatEvent;
  /** Whether the answer is one document a line, or events of one each; a single document may have many lines. */
  readonly framing: "lines" | "events" | "document";
}

/** The parts of a request in chat completions that are translated. */
export interface ChatBody {
  readonly model: string;
  readonly messages: readonly Fields[];
  readonly tools: readonly Fields[] | undefined;
  readonly maxOutputTokens: number | undefined;
  readonly temperature: number | undefined;
  readonly topP: number | undefined;
  readonly seed: number | undefined;
  readonly schema: unknown;
}

/** What a document adds to an answer. */
export interface ChatEvent {
  /** The model that speaks, where it is named. */
  readonly model?: string | undefined;
  readonly text?: string | undefined;
  readonly reasoning?: string | undefined;
  /** Whole calls: OpenAI's form, arguments as an object or as text. */
  readonly toolCalls?: readonly object[] | undefined;
  readonly usage?:
    | { readonly inputTokens: unknown; readonly outputTokens: unknown; readonly cached?: unknown }
    | undefined;
  /** In OpenAI's words, `stop` also for an answer with calls; the answer is whole with it. */
  readonly finish?: string | undefined;
  /** The error that the server reports in its middle, as it stands. */
  readonly error?: unknown;
}

export interface TranslatedChatOptions {
  readonly id: string;
  readonly root: string;
  readonly apiKey?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly fetch: typeof globalThis.fetch;
}

export function translatedChat(
  options: TranslatedChatOptions,
  translation: ChatTranslation,
  expected: ExpectedModel,
): ProviderAdapter {
  const { id, root, apiKey, headers = {}, fetch } = options;
  return openaiChat({
    id,
    baseUrl: `${root}/v1`,
    apiKey,
    headers: { ...headers, accept: "*/*", ...translation.headers },
    fetch: async (_input, init) => {
      const body = JSON.stringify(translation.bodyOf(chatBodyOf(init?.body)));
      const response = await fetch(`${root}${translation.path}`, { ...init, body });
      if (!response.ok || !response.body || isPage(response)) return response;
      const events = response.body.pipeThrough(translated(translation, expected));
      return new Response(events, { status: 200, headers: { "content-type": "text/event-stream" } });
    },
  });
}

function isPage({ headers }: Response): boolean {
  return /^text\/html/i.test(headers.get("content-type") ?? "");
}

function chatBodyOf(body: unknown): ChatBody {
  const fields = fieldsOf(typeof body === "string" ? JSON.parse(body) : {});
  const numberOf = (name: string): number | undefined => {
    const value = fields[name];
    return typeof value === "number" ? value : undefined;
  };
  return {
    model: textOf(fields["model"]) ?? "",
    messages: listOf(fields["messages"]) ?? [],
    tools: listOf(fields["tools"]),
    maxOutputTokens: numberOf("max_tokens"),
    temperature: numberOf("temperature"),
    topP: numberOf("top_p"),
    seed: numberOf("seed"),
    schema: fieldsOf(fieldsOf(fields["response_format"])["json_schema"])["schema"],
  };
}

/** Longer than any line of an answer; a page of vectors is not read here. */
const longestDocument = 16 * 1024 * 1024;

/** The events of chat completions from the bytes of the other protocol. */
function translated(translation: ChatTranslation, expected: ExpectedModel): TransformStream<Uint8Array, Uint8Array> {
  const encoder = new TextEncoder();
  const documents = new Documents(translation.framing, expected);
  let isWhole = false;
  let calls = 0;
  const say = (document: string): string => {
    if (isWhole) return "";
    const fields = documentOf(document);
    // What is no document goes on as it is: the reader says what is wrong with it.
    if (!fields) return event(document.replaceAll(/[\r\n]+/g, " "));
    const said = translation.read(fields);
    checkServed(said.model, expected);
    calls += said.toolCalls?.length ?? 0;
    isWhole = said.finish !== undefined;
    const finish = said.finish === "stop" && calls > 0 ? "tool_calls" : said.finish;
    const chunks = chunksOf({ ...said, finish }).map((chunk) => event(JSON.stringify(chunk)));
    return chunks.join("") + (isWhole ? event("[DONE]") : "");
  };
  return new TransformStream({
    transform(chunk, controller) {
      const events = documents.push(chunk).map(say).join("");
      if (events !== "") controller.enqueue(encoder.encode(events));
      if (isWhole) controller.terminate();
    },
    flush(controller) {
      const events = documents.end().map(say).join("");
      if (events !== "") controller.enqueue(encoder.encode(events));
    },
  });
}

/** Cuts bytes into documents. */
class Documents {
  readonly #framing: ChatTranslation["framing"];
  readonly #expected: ExpectedModel;
  readonly #decoder = new TextDecoder();
  /** Pieces of the document that has not ended. */
  #rest: string[] = [];
  #length = 0;

  constructor(framing: ChatTranslation["framing"], expected: ExpectedModel) {
    this.#framing = framing;
    this.#expected = expected;
  }

  push(bytes: Uint8Array): string[] {
    const text = this.#decoder.decode(bytes, { stream: true });
    const end = this.#framing === "document" ? -1 : text.lastIndexOf("\n");
    this.#rest.push(end < 0 ? text : text.slice(0, end));
    if (end < 0) {
      this.#length += text.length;
      this.#checkLength();
      return [];
    }
    const lines = this.#rest.join("").split("\n");
    this.#rest = [text.slice(end + 1)];
    this.#length = text.length - end - 1;
    this.#checkLength();
    return lines.flatMap((line) => this.#document(line));
  }

  end(): string[] {
    const text = this.#rest.join("") + this.#decoder.decode();
    this.#rest = [];
    return this.#framing === "document" ? [text] : text.split("\n").flatMap((line) => this.#document(line));
  }

  #document(line: string): string[] {
    const text = line.trim();
    if (this.#framing === "lines") return text === "" ? [] : [text];
    const data = /^data:(.*)$/.exec(text)?.[1]?.trim() ?? "";
    return data === "" || data === "[DONE]" ? [] : [data];
  }

  #checkLength(): void {
    if (this.#length <= longestDocument) return;
    throw new BenchtopError("PROVIDER_UNAVAILABLE", `${this.#expected.providerId} sent a line without end.`, {
      providerId: this.#expected.providerId,
      retryable: false,
    });
  }
}

function documentOf(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? fieldsOf(value) : undefined;
  } catch {
    return undefined;
  }
}

function chunksOf({ text, reasoning, toolCalls, usage, finish, error }: ChatEvent): object[] {
  if (error !== undefined) return [{ error }];
  const delta = {
    ...(reasoning !== undefined && { reasoning }),
    ...(text !== undefined && { content: text }),
    ...(toolCalls && toolCalls.length > 0 && { tool_calls: toolCalls }),
  };
  const saysSomething = Object.keys(delta).length > 0;
  return [
    ...(saysSomething || finish !== undefined ? [{ choices: [{ delta, finish_reason: finish ?? null }] }] : []),
    ...(usage ? [{ choices: [], usage: wireUsage(usage) }] : []),
  ];
}

function wireUsage({ inputTokens, outputTokens, cached }: NonNullable<ChatEvent["usage"]>): object {
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    prompt_tokens_details: { cached_tokens: cached },
  };
}

function event(data: string): string {
  return `data: ${data}\n\n`;
}
