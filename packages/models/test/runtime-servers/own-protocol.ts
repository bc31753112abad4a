import { longestEmbedded, think, tokensOf, vectorFor, type Thought } from "./brain.ts";
import { betweenWords, ModelServer, textIn, type Body, type Received, type Reply } from "./model-server.ts";

/** A server that speaks a protocol of its own, in each of the three framings. */
export class OwnServer extends ModelServer {
  readonly models = ["tiny", "other"];
  readonly embedder = "tiny";

  protected reply({ path, body }: Received): Reply {
    if (path === "/status") return { json: { ok: true } };
    if (path === "/catalog") return { json: { result: { models: this.models.map((name) => ({ "na/me": name })) } } };
    if (path === "/vectorize") return this.#vectorize(body);
    const [, framing, model = ""] = /^\/(lines|events|document)\/([^/]+)\/say$/.exec(path) ?? [];
    if (framing === undefined) return { status: 404, json: { detail: "Not Found" } };
    return this.#say(framing, decodeURIComponent(model), body);
  }

  #say(framing: string, model: string, body: Body): Reply {
    const fault = this.takeFault();
    if (fault === "loading") return { status: 503, headers: { "retry-after": "2" }, json: { detail: "starting" } };
    if (fault === "page") return { headers: { "content-type": "text/html" }, text: "<h1>Welcome</h1>" };
    const maxTokens = (body["settings"] as { limit?: number } | undefined)?.limit;
    const thought = think({
      model,
      text: textIn(body["conversation"]),
      hasTools: false,
      schema: body["form"],
      grammar: undefined,
      maxTokens,
    });
    const speaker = fault === "impostor" ? "another-model" : model;
    return {
      headers: { "content-type": framing === "events" ? "text/event-stream" : "application/json" },
      stream: said(framing, speaker, thought, fault),
    };
  }

  #vectorize(body: Body): Reply {
    const texts = [body["documents"]].flat().map(String);
    if (texts.some((text) => text.length > longestEmbedded)) {
      return { status: 422, json: { detail: "document longer than the maximum input" } };
    }
    return { json: { answers: texts.map((text) => ({ point: vectorFor(text) })), cost: { read: texts.length } } };
  }
}

async function* said(
  framing: string,
  model: string,
  thought: Thought,
  fault: string | undefined,
): AsyncGenerator<string> {
  const framed = (document: object): string => {
    if (framing === "document") return JSON.stringify(document, undefined, 2);
    return framing === "lines" ? `${JSON.stringify(document)}\n` : `event: said\ndata: ${JSON.stringify(document)}\n\n`;
  };
  if (fault === "garbage") {
    yield framing === "events" ? "data: {oops\n\n" : "{oops\n";
    return;
  }
  const { input, output } = tokensOf(thought);
  const end = { why: thought.isCut === true ? "limit" : "ready", used: { in: input, out: output } };
  if (framing === "document" && thought.isEndless !== true) {
    if (fault === "dies") throw new Error("The process of the server ended.");
    yield framed({ by: model, answer: thought.words.join(""), ...end });
    return;
  }
  do {
    for (const word of thought.words) {
      await betweenWords();
      yield framed({ by: model, answer: word, why: null });
      if (fault === "dies") throw new Error("The process of the server ended.");
    }
  } while (thought.isEndless === true);
  yield framed({ by: model, answer: "", ...end });
}
