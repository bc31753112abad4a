import { BenchtopError, type Json } from "@benchtop/protocol";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { anthropicMessages } from "./anthropic-messages.ts";
import {
  anthropicMessagesDialect,
  frames,
  LoopbackServer,
  openaiChatDialect,
  openaiResponsesDialect,
} from "./conformance.ts";
import { everything, question } from "./conformance/script.ts";
import { openaiChat } from "./openai-chat.ts";
import { openaiResponses } from "./openai-responses.ts";

let server: LoopbackServer;
let chunk = "";
beforeAll(async () => {
  server = await LoopbackServer.start(() => ({ chunks: [chunk] }));
});
afterAll(() => server.close());

test.each([
  [openaiChatDialect, openaiChat],
  [openaiResponsesDialect, openaiResponses],
  [anthropicMessagesDialect, anthropicMessages],
])(
  "HX $name: an answer with something else in any place of any event ends, or fails as an error of ours",
  async (dialect, make) => {
    const events = dialect.events(everything).map((data) => (data === "[DONE]" ? data : (JSON.parse(data) as Json)));
    const place = fc.tuple(fc.nat({ max: events.length - 1 }), fc.array(fc.nat({ max: 7 }), { maxLength: 5 }));
    const adapter = make({ id: "odd", baseUrl: server.url });
    await fc.assert(
      fc.asyncProperty(
        fc.array(place, { minLength: 1, maxLength: 3 }),
        fc.jsonValue({ maxDepth: 2 }),
        async (places, value) => {
          const changed = structuredClone(events);
          for (const [index, path] of places) changed[index] = replaced(changed[index] ?? null, path, value as Json);
          chunk = frames(changed.map((event) => (event === "[DONE]" ? event : JSON.stringify(event))));
          const finishes = await finishesOf(adapter.stream(question, new AbortController().signal));
          expect(finishes).toSatisfy((count) => count === 1 || BenchtopError.is(count));
        },
      ),
      { numRuns: 150 },
    );
  },
);

/** The same value with another one at the place to which the numbers lead, each counting members. */
function replaced(inside: Json, [first, ...rest]: readonly number[], value: Json): Json {
  if (first === undefined || typeof inside !== "object" || inside === null) return value;
  const entries = Object.entries(inside);
  const [key, member] = entries[first % Math.max(1, entries.length)] ?? ["added", null];
  if (Array.isArray(inside))
    return inside.map((each, index) => (String(index) === key ? replaced(each, rest, value) : each));
  return { ...inside, [key]: replaced(member, rest, value) };
}

async function finishesOf(stream: ReturnType<ReturnType<typeof openaiChat>["stream"]>): Promise<unknown> {
  let finishes = 0;
  try {
    for await (const parts of stream) finishes += parts.filter(({ type }) => type === "finish").length;
    return finishes;
  } catch (thrown) {
    return thrown;
  }
}
