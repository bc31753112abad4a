/**
 * What every provider adapter must do, told to it by a real server on loopback. The suite knows no test framework:
 *
 *     for (const { name, run } of providerConformance(dialect, connect)) test(name, run);
 */
import assert from "node:assert/strict";
import { BenchtopError } from "@benchtop/protocol";
import { frames, type Dialect, type ScriptedAnswer } from "./conformance/dialect.ts";
import { LoopbackServer, type ReceivedRequest, type Reply } from "./conformance/loopback-server.ts";
import { ask, failure, said, textIn, thrownBy, withServer, type Connect } from "./conformance/hearing.ts";
import {
  apiKey,
  askingAbout,
  attachments,
  endless,
  everything,
  everythingSaid,
  longQuestion,
  never,
  outputSchema,
  question,
  secretPrompt,
  singleBytes,
} from "./conformance/script.ts";
import { statusCases } from "./conformance/status-cases.ts";
import type { ProviderPart } from "./provider.ts";

export type { Connect } from "./conformance/hearing.ts";

export { frames, type Dialect, type ScriptedAnswer, type ScriptedToolCall } from "./conformance/dialect.ts";
export { LoopbackServer, type ReceivedRequest, type Reply } from "./conformance/loopback-server.ts";
export { anthropicMessagesDialect } from "./conformance/anthropic-dialect.ts";
export { openaiChatDialect, openaiResponsesDialect } from "./conformance/openai-dialects.ts";

export interface ConformanceCase {
  readonly name: string;
  readonly run: () => Promise<void>;
}

export function providerConformance(dialect: Dialect, connect: Connect): readonly ConformanceCase[] {
  const say = (answer: ScriptedAnswer): Reply => ({ chunks: dialect.events(answer).map((event) => frames([event])) });
  const saying = (answer: ScriptedAnswer) => () => say(answer);
  const asking = (reply: (request: ReceivedRequest) => Reply, request = question) => ask(connect, reply, request);
  const failing = (reply: Reply, request = question, parts: ProviderPart[] = []) =>
    failure(connect, reply, request, parts);
  const repeated: ConformanceCase = {
    name: "takes an event that arrives twice once",
    run: async () => {
      const twice = dialect.events(everything).flatMap((event) => [event, event]);
      assert.deepEqual(await said(asking(() => ({ chunks: [frames(twice)] }))), everythingSaid);
    },
  };

  return [
    {
      name: "gives the text whole and in order",
      run: async () => {
        const { text, finish } = await asking(saying({ text: ["Hel", "lo", ", wörld 🌍"] }));
        assert.deepEqual({ text, finish }, { text: "Hello, wörld 🌍", finish: "stop" });
      },
    },
    {
      name: "sends the conversation, the tools and the key",
      run: async () => {
        const { requests } = await asking(saying({ text: ["ok"] }), longQuestion);
        const [request] = requests;
        assert.equal(request && dialect.apiKeyOf(request.headers), apiKey);
        assert.equal(request?.body["model"], "loopback");
        assert.equal(JSON.stringify(request?.body["tools"]).includes('"look_up"'), true);
        assert.deepEqual(dialect.conversationOf(request?.body ?? {}), [
          "system: Be brief.",
          "user: What is it?",
          "assistant: Let me see.",
          'call(call_1): look_up {"word":"it"}',
          "tool(call_1): a pronoun",
          "user: And now?",
        ]);
      },
    },
    {
      name: "tells at once that the provider has accepted a request, and only then",
      run: async () => {
        await withServer({ ending: "hang" }, async (server) => {
          for await (const parts of connect({ baseUrl: server.url, apiKey }).stream(question, never)) {
            assert.deepEqual(parts, []);
            break;
          }
          await server.abandoned();
        });
        await withServer({ status: 500 }, async (server) => {
          const stream = connect({ baseUrl: server.url, apiKey }).stream(question, never);
          await assert.rejects(stream[Symbol.asyncIterator]().next(), (thrown) => BenchtopError.is(thrown));
        });
      },
    },
    {
      name: "sends images, documents and text files whole, in order",
      run: async () => {
        const { requests } = await asking(saying({ text: ["A dot."] }), askingAbout(...attachments));
        const sent = dialect.attachmentsOf(requests[0]?.body ?? {});
        const [image, pdf] = attachments;
        assert.equal(sent.length, 3);
        assert.equal(sent[0]?.startsWith("image ") && sent[0].includes(image.data), true);
        assert.equal(sent[1]?.startsWith("file paper.pdf ") && sent[1].includes(pdf.data), true);
        assert.equal(sent[2]?.includes("rows.csv") && sent[2].includes("a,b\n1,ü\n"), true);
      },
    },
    {
      name: "sends nothing when it would have to leave an attachment out",
      run: async () => {
        for (const attachment of [
          { mediaType: "application/x-msdownload", data: "AAAA" },
          { mediaType: "image/png", sha256: "00" },
        ]) {
          await withServer(say({ text: ["x"] }), async (server) => {
            const adapter = connect({ baseUrl: server.url, apiKey });
            const error = await thrownBy(adapter.stream(askingAbout(attachment), never));
            assert.equal(error.code, "VALIDATION_FAILED");
            assert.equal(error.info.provider_id, "loopback");
            assert.equal(server.requests.length, 0);
          });
        }
      },
    },
    {
      name: "asks for JSON of a schema",
      run: async () => {
        const request = { ...question, output: { name: "place", schema: outputSchema } };
        const { requests, text } = await asking(saying({ text: ['{"city":"Bern"}'] }), request);
        assert.deepEqual(dialect.outputSchemaOf(requests[0]?.body ?? {}), outputSchema);
        assert.equal(text, '{"city":"Bern"}');
      },
    },
    ...["\n", "\r\n", "\r"].map((lineEnd) => ({
      name: `puts together what arrives a byte at a time, lines ended by ${JSON.stringify(lineEnd)}`,
      run: async () => {
        const bytes = Buffer.from(frames(dialect.events(everything), lineEnd));
        assert.deepEqual(await said(asking(() => ({ chunks: singleBytes(bytes) }))), everythingSaid);
      },
    })),
    {
      name: "skips comments, other fields and a byte order mark",
      run: async () => {
        const noisy = dialect.events(everything).map((event) => `: keep-alive\n\nid: 7\nretry: 10\ndata:${event}\n\n`);
        assert.deepEqual(await said(asking(() => ({ chunks: ["\u{feff}", ...noisy] }))), everythingSaid);
      },
    },
    {
      name: "takes an event that never got its empty line",
      run: async () => {
        const whole = frames(dialect.events({ text: ["all of it"] }));
        const { text } = await asking(() => ({ chunks: [whole.slice(0, -1)] }));
        assert.equal(text, "all of it");
      },
    },
    {
      name: "assembles tool calls whose arguments come in pieces, several at once",
      run: async () => {
        const { calls, finish } = await asking(
          saying({
            toolCalls: [
              { id: "call_a", name: "read_file", pieces: ['{"pa', 'th":"a.', 'md"}'] },
              { id: "call_b", name: "search", pieces: ["{", '"query":"ä"}'] },
            ],
          }),
        );
        assert.deepEqual(calls, [
          { type: "tool-call", callId: "call_a", name: "read_file", arguments: '{"path":"a.md"}' },
          { type: "tool-call", callId: "call_b", name: "search", arguments: '{"query":"ä"}' },
        ]);
        assert.equal(finish, "tool-calls");
      },
    },
    {
      name: "reports usage as the provider counts it, and none where it counts none",
      run: async () => {
        const usage = { inputTokens: 100, outputTokens: 20, cachedInputTokens: 64, reasoningTokens: 8 };
        assert.deepEqual((await asking(saying({ text: ["x"], usage }))).usage, usage);
        assert.equal((await asking(saying({ text: ["x"] }))).usage, undefined);
      },
    },
    {
      name: "keeps refusals and reasoning apart from the text",
      run: async () => {
        const { text, refusal, reasoning } = await asking(
          saying({ reasoning: ["hm", "m"], refusal: ["I can", "not."] }),
        );
        assert.deepEqual({ text, refusal, reasoning }, { text: "", refusal: "I cannot.", reasoning: "hmm" });
      },
    },
    ...(["length", "content-filter"] as const).map((finish) => ({
      name: `says that an answer ended by ${finish}`,
      run: async () => {
        assert.equal((await asking(saying({ text: ["cut"], finish }))).finish, finish);
      },
    })),
    ...statusCases.map(({ status, code, headers, body, check }) => ({
      name: `maps status ${status}${body === undefined ? "" : ` with ${body}`} to ${code}`,
      run: async () => {
        const error = await failing({
          status,
          headers: { "content-type": "application/json", ...headers },
          chunks: [JSON.stringify({ error: { message: "no", type: body, code: body } })],
        });
        assert.equal(error.code, code);
        assert.equal(error.info.detail?.["status"], status);
        assert.equal(error.info.provider_id, "loopback");
        check?.(error);
      },
    })),
    {
      name: "shows neither the key nor the conversation when the provider repeats them",
      run: async () => {
        for (const echo of [
          `Bad key ${apiKey} given`,
          `Cannot answer "${secretPrompt}"`,
          `x ${secretPrompt.slice(3, 33)} y`,
        ]) {
          const chunks = [JSON.stringify({ error: { message: echo } })];
          for (const status of [400, 401, 404, 500]) {
            const error = await failing(
              { status, chunks },
              { ...question, messages: [{ role: "user", content: secretPrompt }] },
            );
            const shown = `${error.message} ${JSON.stringify(error.info)}`;
            assert.equal(shown.includes(apiKey) || shown.includes(secretPrompt.slice(6, 30)), false, shown);
          }
        }
      },
    },
    {
      name: "bounds what it quotes of a provider",
      run: async () => {
        const error = await failing({
          status: 400,
          chunks: [JSON.stringify({ error: { message: "a b\n".repeat(5000) } })],
        });
        assert.equal(error.message.length < 500 && !error.message.includes("\n"), true, error.message);
      },
    },
    {
      name: "survives an error whose body is no JSON",
      run: async () => {
        assert.equal(
          (await failing({ status: 502, chunks: ["<html>Bad gateway</html>"] })).code,
          "PROVIDER_UNAVAILABLE",
        );
      },
    },
    {
      name: "throws the error that a stream reports in its middle, after what came before it",
      run: async () => {
        const [first = "", second = ""] = dialect.events({ text: ["so far"] });
        const reports = (message: string, code: string) => ({
          chunks: [frames([first, second]), frames([dialect.errorEvent(message, code)])],
        });
        assert.equal((await failing(reports("overloaded", "server_error"))).code, "PROVIDER_UNAVAILABLE");
        assert.equal((await failing(reports("slow down", "rate_limit_exceeded"))).code, "PROVIDER_RATE_LIMITED");
        assert.equal((await failing(reports("too long", "context_length_exceeded"))).code, "CONTEXT_EXHAUSTED");
      },
    },
    ...(["end", "break"] as const).map((ending) => ({
      name: `gives what arrived and then fails when the stream ${ending === "end" ? "ends" : "breaks"} early`,
      run: async () => {
        const events = dialect.events({ text: ["one ", "two ", "three"] });
        for (let count = 1; count < events.length - dialect.trailing; count += 1) {
          const parts: ProviderPart[] = [];
          const error = await failing({ chunks: [frames(events.slice(0, count))], ending }, question, parts);
          assert.equal(error.code, "PROVIDER_UNAVAILABLE", `after ${count} events`);
          assert.equal("one two three".startsWith(textIn(parts, "text")), true);
        }
      },
    })),
    {
      name: "fails on a stream with nothing in it",
      run: async () => {
        for (const chunks of [[], [""], ["\n\n"], [": ping\n\n"]]) {
          assert.equal((await failing({ chunks })).code, "PROVIDER_UNAVAILABLE");
        }
      },
    },
    {
      name: "fails on an event that is not JSON, or not an object",
      run: async () => {
        for (const data of ["{oops", "null", "7", '"text"', '{"a":']) {
          assert.equal((await failing({ chunks: [frames([data])] })).code, "PROVIDER_UNAVAILABLE", data);
        }
      },
    },
    {
      name: "fails on a web page or a document where a stream should be",
      run: async () => {
        for (const type of ["text/html", "application/json; charset=utf-8"]) {
          const error = await failing({ headers: { "content-type": type }, chunks: ["<h1>Welcome</h1>"] });
          assert.equal(error.code, "PROVIDER_UNAVAILABLE");
          assert.equal(error.info.retryable, false);
        }
      },
    },
    {
      name: "does not follow a redirect",
      run: async () => {
        const error = await failing({ status: 307, headers: { location: "http://127.0.0.1:1/elsewhere" } });
        assert.equal(error.code, "PROVIDER_UNAVAILABLE");
      },
    },
    {
      name: "reads an event of several megabytes",
      run: async () => {
        const long = "0123456789 wörter ".repeat(200_000);
        assert.equal((await asking(saying({ text: [long] }))).text, long);
      },
    },
    {
      name: "gives up on a line without end",
      run: async () => {
        const megabyte = "x".repeat(1024 * 1024);
        const error = await failing({ chunks: endless(megabyte), ending: "hang" });
        assert.equal(error.code, "PROVIDER_UNAVAILABLE");
        assert.equal(error.info.retryable, false);
      },
    },
    {
      name: "ignores what comes after the end of an answer, the end once more among it",
      run: async () => {
        const events = dialect.events(everything);
        const again = [...events, ...events.slice(-2), ...dialect.events({ text: ["late"] })];
        assert.deepEqual(await said(asking(() => ({ chunks: [frames(again)] }))), everythingSaid);
      },
    },
    ...(dialect.isNumbered ? [repeated] : []),
    {
      name: "does not wait for a connection that stays open after the end of an answer",
      run: async () => {
        const { text } = await asking(() => ({ chunks: [frames(dialect.events({ text: ["done"] }))], ending: "hang" }));
        assert.equal(text, "done");
      },
    },
    {
      name: "says NETWORK_UNAVAILABLE when nothing listens",
      run: async () => {
        const server = await LoopbackServer.start(() => ({}));
        const baseUrl = server.url;
        await server.close();
        const error = await thrownBy(connect({ baseUrl, apiKey }).stream(question, never));
        assert.equal(error.code, "NETWORK_UNAVAILABLE");
      },
    },
    {
      name: "closes the connection when it is aborted, before and in the middle of the answer",
      run: async () => {
        const started = frames(dialect.events({ text: ["never ", "ending"] }).slice(0, 4));
        for (const chunks of [[], [started]]) {
          const abort = new AbortController();
          const server = await LoopbackServer.start(() => {
            if (chunks.length === 0) abort.abort();
            return { chunks, ending: "hang" };
          });
          try {
            const stream = connect({ baseUrl: server.url, apiKey }).stream(question, abort.signal);
            const error = await thrownBy(stream, [], () => abort.abort());
            assert.equal(error.code, "USER_CANCELED");
            await server.abandoned();
          } finally {
            await server.close();
          }
        }
      },
    },
    {
      name: "sends nothing when it was aborted before",
      run: async () => {
        await withServer(say({ text: ["x"] }), async (server) => {
          const adapter = connect({ baseUrl: server.url, apiKey });
          const error = await thrownBy(adapter.stream(question, AbortSignal.abort()));
          assert.equal(error.code, "USER_CANCELED");
          assert.equal(server.requests.length, 0);
        });
      },
    },
    {
      name: "closes the connection when its reader leaves",
      run: async () => {
        const chunks = [frames(dialect.events({ text: ["a", "b", "c"] }).slice(0, 5))];
        await withServer({ chunks, ending: "hang" }, async (server) => {
          for await (const parts of connect({ baseUrl: server.url, apiKey }).stream(question, never)) {
            if (parts.length > 0) break;
          }
          await server.abandoned();
        });
      },
    },
  ];
}
