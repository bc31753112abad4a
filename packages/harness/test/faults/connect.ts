import { anthropicMessages, openaiChat, openaiResponses, type ProviderAdapter } from "../../src/index.ts";
import type { DialectName } from "./server.ts";

/** The adapter of a protocol, at this address. */
export function connect(dialect: DialectName, baseUrl: string, id: string = dialect): ProviderAdapter {
  const options = { id, baseUrl, apiKey: "sk-fault-0123456789" };
  return { chat: openaiChat, responses: openaiResponses, messages: anthropicMessages }[dialect](options);
}
