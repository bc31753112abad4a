import type { ProviderAdapter, ProviderPart } from "@benchtop/harness";
import type { Json } from "@benchtop/protocol";

export interface ScriptedCall {
  readonly name: string;
  readonly arguments: Json;
}

/** A model that says a sentence word by word and asks for the next call of its script; at the end it answers. */
export function scriptedAdapter(calls: readonly ScriptedCall[]): ProviderAdapter {
  return {
    id: "script",
    async *stream({ messages }): AsyncIterable<readonly ProviderPart[]> {
      const turn = messages.filter((message) => message.role === "tool").length;
      for (const word of ["Now ", "the ", "next ", `step (${turn}). `]) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        yield [{ type: "text", text: word }];
      }
      const call = calls[turn];
      if (call) {
        yield [
          { type: "tool-call", callId: `call_${turn}`, name: call.name, arguments: JSON.stringify(call.arguments) },
        ];
      }
      yield [{ type: "usage", usage: { inputTokens: 10, outputTokens: 6 } }];
      yield [{ type: "finish", reason: call ? "tool-calls" : "stop" }];
    },
  };
}
