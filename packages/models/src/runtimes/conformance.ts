/**
 * What every runtime must do. The suite knows no test framework; its cases are run in order, on one subject:
 *
 *     for (const { name, run } of runtimeConformance(() => subject)) test(name, run);
 */
import assert from "node:assert/strict";
import type { JsonSchema, ProviderPart, ProviderRequest, ToolSpec } from "@benchtop/harness";
import { failure, isNear, nextText, said, textIn, until } from "./conformance/hearing.ts";
import { serverCases } from "./conformance/server-cases.ts";
import type { RuntimeCase, RuntimeSubject } from "./conformance/subject.ts";
import type { LoadOptions, ModelRuntime, RuntimeCall } from "./runtime.ts";

export type { RuntimeCase, RuntimeSubject, ServerFault } from "./conformance/subject.ts";

const never = new AbortController().signal;
const schema = objectOf("answer", { enum: ["yes", "no"] });
const lookUp: ToolSpec = {
  name: "look_up",
  description: "Looks a word up.",
  inputSchema: objectOf("word", { type: "string" }),
};

export function runtimeConformance(subject: () => RuntimeSubject): readonly RuntimeCase[] {
  const runtime = (): ModelRuntime => subject().runtime;
  const ask = (question: string, more: Partial<ProviderRequest> = {}): ProviderRequest => ({
    modelId: subject().model,
    messages: [{ role: "user", content: question }],
    temperature: 0,
    ...more,
  });
  const stream = (request: ProviderRequest, signal = never, call?: RuntimeCall) =>
    runtime().adapter(request.modelId, call).stream(request, signal);
  const greeting = (): ProviderRequest => ask(subject().asks.greeting.question);
  const endless = (): ProviderRequest => {
    const { model, question } = subject().asks.endless;
    return { ...ask(question), modelId: model };
  };
  const stateOf = async (model = subject().model): Promise<string> => (await runtime().status(model, never)).state;
  const untilIdle = (): Promise<void> =>
    until(async () => (await subject().busy()) === 0, "nothing is computed any more");
  const cannot = async (what: Promise<unknown> | (() => unknown)): Promise<void> => {
    const error = await failure(typeof what === "function" ? Promise.resolve().then(what) : what);
    assert.equal(error.code, "VALIDATION_FAILED");
    assert.equal(error.info.detail?.["runtime"], runtime().kind);
    assert.equal(error.info.provider_id, runtime().id);
  };
  const unloads = (): boolean => runtime().capabilities.unload && subject().keepsItsModels !== true;

  return [
    {
      name: "is alive and ready",
      run: async () => {
        const { alive, ready } = await runtime().health(never);
        assert.deepEqual({ alive, ready }, { alive: true, ready: true });
      },
    },
    {
      name: "lists its models, each once",
      run: async () => {
        const names = (await runtime().list(never)).map(({ model }) => model);
        const { model, other, embedder } = subject();
        for (const name of [model, embedder.model, ...(other === undefined ? [] : [other])]) {
          assert.equal(names.includes(name), true, name);
        }
        assert.equal(new Set(names).size, names.length);
      },
    },
    {
      name: "refuses a model that it does not have, in a way that lets a plan go on",
      run: async () => {
        const unknown = "no-such-model";
        const request = { ...greeting(), modelId: unknown };
        const attempts = [
          () => runtime().status(unknown, never),
          () => said(stream(request)),
          () => runtime().embed(unknown, ["x"], never),
          ...(runtime().capabilities.load ? [() => runtime().load(unknown, {}, never)] : []),
        ];
        for (const attempt of attempts) {
          const error = await failure(attempt());
          assert.deepEqual([error.code, error.category], ["PROVIDER_NOT_CONFIGURED", "provider"]);
          assert.equal(error.info.provider_id, runtime().id);
        }
      },
    },
    {
      name: "asks no other model than the one that its adapter was made for",
      run: async () => {
        const { model, other = "another" } = subject();
        const parts = runtime()
          .adapter(model)
          .stream({ ...greeting(), modelId: other }, never);
        assert.equal((await failure(said(parts))).code, "PROVIDER_NOT_CONFIGURED");
      },
    },
    {
      name: "loads a model, once for two who ask at the same time, or says that it cannot",
      run: async () => {
        const { model } = subject();
        if (!runtime().capabilities.load) return cannot(runtime().load(model, {}, never));
        const [first, second] = await Promise.all([runtime().load(model, {}, never), runtime().load(model, {}, never)]);
        // For the one that is told first, the other is still busy with it.
        for (const { state } of [first, second]) assert.match(state, /^(ready|busy)$/);
        assert.equal(await stateOf(), "ready");
        assert.equal((await runtime().status(model, never)).loads.length, 1);
      },
    },
    {
      name: "answers: first that it began, then the text, then what it took, and the end once, last",
      run: async () => {
        const batches: (readonly ProviderPart[])[] = [];
        for await (const batch of stream(greeting())) batches.push(batch);
        assert.deepEqual(batches[0], []);
        const parts = batches.flat();
        const { answer } = subject().asks.greeting;
        assert.equal(textIn(parts), answer(subject().model));
        assert.deepEqual(
          parts.slice(-2).map(({ type }) => type),
          ["usage", "finish"],
        );
        assert.equal(parts.filter(({ type }) => type === "finish").length, 1);
        const usage = parts.find((part) => part.type === "usage")?.usage;
        assert.equal((usage?.inputTokens ?? 0) > 0 && (usage?.outputTokens ?? 0) > 0, true);
        assert.deepEqual(parts.at(-1), { type: "finish", reason: "stop" });
      },
    },
    {
      name: "says the same again at temperature 0",
      run: async () => {
        const [first, second] = [await said(stream(greeting())), await said(stream(greeting()))];
        assert.equal(textIn(first), textIn(second));
      },
    },
    {
      name: "says no more than it may",
      run: async () => {
        const parts = await said(stream({ ...greeting(), maxOutputTokens: 2 }));
        assert.equal(subject().asks.greeting.answer(subject().model).startsWith(textIn(parts)), true);
        assert.deepEqual(parts.at(-1), { type: "finish", reason: "length" });
      },
    },
    {
      name: "answers two at a time, each its own",
      run: async () => {
        const { model, other = model, asks } = subject();
        const requests = [greeting(), { ...greeting(), modelId: other }];
        const answers = await Promise.all(requests.map((request) => said(stream(request))));
        assert.deepEqual(answers.map(textIn), [asks.greeting.answer(model), asks.greeting.answer(other)]);
      },
    },
    {
      name: "sends nothing when it was aborted before",
      run: async () => {
        assert.equal((await failure(said(stream(greeting(), AbortSignal.abort())))).code, "USER_CANCELED");
        const embedding = runtime().embed(subject().embedder.model, ["x"], AbortSignal.abort());
        assert.equal((await failure(embedding)).code, "USER_CANCELED");
        await untilIdle();
      },
    },
    {
      name: "stops computing when it is aborted in the middle of an answer",
      run: async () => {
        const abort = new AbortController();
        const error = await failure(said(stream(endless(), abort.signal), () => abort.abort()));
        assert.equal(error.code, "USER_CANCELED");
        await untilIdle();
      },
    },
    {
      name: "stops computing when its reader leaves",
      run: async () => {
        for await (const batch of stream(endless())) if (batch.length > 0) break;
        await untilIdle();
      },
    },
    {
      name: "calls tools, or says that it cannot",
      run: async () => {
        const { question, arguments: expected } = subject().asks.tool;
        if (!runtime().capabilities.tools) return cannot(said(stream(ask(question, { tools: [lookUp] }))));
        const parts = await said(stream(ask(question, { tools: [lookUp] })));
        const calls = parts.filter((part) => part.type === "tool-call");
        assert.deepEqual(
          calls.map(({ name }) => name),
          expected.map(() => "look_up"),
        );
        assert.deepEqual(
          calls.map((call) => JSON.parse(call.arguments) as unknown),
          expected,
        );
        assert.equal(parts.at(-1)?.type, "finish");
      },
    },
    {
      name: "takes the results of tools",
      run: async () => {
        if (!runtime().capabilities.tools) return;
        const { greeting: asked, tool } = subject().asks;
        const [input = {}] = tool.arguments;
        const request = ask("", {
          tools: [lookUp],
          messages: [
            { role: "user", content: tool.question },
            {
              role: "assistant",
              content: "",
              toolCalls: [{ callId: "call_1", name: "look_up", arguments: { ...input } }],
            },
            { role: "tool", callId: "call_1", name: "look_up", content: "a vowel" },
            { role: "user", content: asked.question },
          ],
        });
        assert.equal((await said(stream(request))).at(-1)?.type, "finish");
      },
    },
    {
      name: "answers in JSON of a schema",
      run: async () => {
        const request = { ...greeting(), output: { name: "answer", schema } };
        if (!runtime().capabilities.jsonSchema) return cannot(said(stream(request)));
        const { answer } = JSON.parse(textIn(await said(stream(request)))) as { answer?: unknown };
        assert.equal(["yes", "no"].includes(String(answer)), true, String(answer));
      },
    },
    {
      name: "follows a grammar, or says that it cannot",
      run: async () => {
        const call = { grammar: `root ::= "yes" | "no"` };
        const request = ask(subject().asks.grammar);
        if (!runtime().capabilities.grammar) return cannot(() => runtime().adapter(subject().model, call));
        assert.match(textIn(await said(stream(request, never, call))), /^(yes|no)$/);
      },
    },
    {
      name: "reads a text file that is attached, and refuses what it cannot read",
      run: async () => {
        const { question } = subject().asks.greeting;
        const attached = (mediaType: string): ProviderRequest => {
          const attachment = { mediaType, name: "rows.csv", data: Buffer.from("a,b\n1,ü\n").toString("base64") };
          return ask("", { messages: [{ role: "user", content: question, attachments: [attachment] }] });
        };
        assert.equal((await said(stream(attached("text/csv")))).at(-1)?.type, "finish");
        assert.equal((await failure(said(stream(attached("application/x-msdownload"))))).code, "VALIDATION_FAILED");
      },
    },
    {
      name: "makes vectors, one a text, in order, all of one length",
      run: async () => {
        const { model, dimensions } = subject().embedder;
        const texts = ["alpha", "Beta, the second", "γ"];
        const together = (await runtime().embed(model, texts, never)).vectors;
        assert.deepEqual(
          together.map(({ length }) => length),
          texts.map(() => dimensions),
        );
        for (const [index, text] of texts.entries()) {
          const [alone] = (await runtime().embed(model, [text], never)).vectors;
          assert.equal(isNear(alone, together[index]), true, text);
        }
        assert.equal(isNear(together[0], together[1]), false);
      },
    },
    {
      name: "refuses a text that is too long for a vector, and does not cut it",
      run: async () => {
        const { model, tooLong } = subject().embedder;
        assert.equal((await failure(runtime().embed(model, ["short", tooLong], never))).code, "CONTEXT_EXHAUSTED");
      },
    },
    {
      name: "never ends an answer to unload its model: it waits for it, then the model is gone",
      run: async () => {
        // What a server does with its answers is its own affair.
        if (runtime().kind !== "llama.cpp") return;
        const parts = stream(endless())[Symbol.asyncIterator]();
        await nextText(parts);
        let isUnloaded = false;
        const { model } = subject().asks.endless;
        const unloading = runtime()
          .unload(model, never)
          .then(() => (isUnloaded = true));
        for (let texts = 0; texts < 5; texts += 1) await nextText(parts);
        assert.equal(isUnloaded, false);
        await parts.return?.(undefined);
        await unloading;
        assert.equal(await stateOf(model), "unloaded");
      },
    },
    {
      name: "unloads a model, and an unloaded one again without a word; asking loads it",
      run: async () => {
        const { model } = subject();
        if (!unloads()) return cannot(runtime().unload(model, never));
        await runtime().unload(model, never);
        await runtime().unload(model, never);
        assert.equal(await stateOf(), "unloaded");
        assert.equal((await said(stream(greeting()))).at(-1)?.type, "finish");
      },
    },
    {
      name: "says which option of a load it does not have",
      run: async () => {
        const { load, keepAlive, adapters } = runtime().capabilities;
        if (!load) return;
        const options: LoadOptions[] = [];
        if (!keepAlive) options.push({ keepAliveSeconds: 10 });
        if (!adapters) options.push({ adapters: [{ model: "poet" }] });
        for (const option of options) await cannot(runtime().load(subject().model, option, never));
      },
    },
    {
      name: "counts what it was asked and what that took",
      run: async () => {
        const before = (await runtime().metrics(never)).counts;
        await said(stream(greeting()));
        const { counts, running, waiting } = await runtime().metrics(never);
        assert.equal(counts.requests - before.requests, 1);
        assert.equal(counts.outputTokens > before.outputTokens && counts.inputTokens > before.inputTokens, true);
        assert.equal(counts.failed, before.failed);
        assert.equal(running >= 0 && waiting >= 0, true);
      },
    },
    ...serverCases(subject, stream, greeting),
    {
      name: "says that it is down, and fails what is asked, when nothing answers",
      run: async () => {
        const { shutDown } = subject();
        if (!shutDown) return;
        await shutDown();
        const { alive, ready, reason } = await runtime().health(never);
        assert.deepEqual([alive, ready, typeof reason], [false, false, "string"]);
        for (const attempt of [runtime().list(never), said(stream(greeting()))]) {
          const error = await failure(attempt);
          assert.deepEqual([error.code, error.category], ["NETWORK_UNAVAILABLE", "provider"]);
        }
      },
    },
  ];
}

function objectOf(name: string, property: JsonSchema): JsonSchema {
  return { type: "object", properties: { [name]: { ...property } }, required: [name], additionalProperties: false };
}
