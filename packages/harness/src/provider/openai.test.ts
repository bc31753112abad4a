import { describe, expect, test } from "vitest";
import { openaiChatDialect, openaiResponsesDialect, providerConformance } from "./conformance.ts";
import { openaiChat } from "./openai-chat.ts";
import { openaiResponses } from "./openai-responses.ts";

describe("HX the chat completions adapter", () => {
  const suite = providerConformance(openaiChatDialect, (options) => openaiChat({ id: "loopback", ...options }));
  test.for(suite)("$name", async ({ run }) => {
    await expect(run()).resolves.toBeUndefined();
  });
});

describe("HX the Responses adapter", () => {
  const suite = providerConformance(openaiResponsesDialect, (options) =>
    openaiResponses({ id: "loopback", ...options }),
  );
  test.for(suite)("$name", async ({ run }) => {
    await expect(run()).resolves.toBeUndefined();
  });
});
