import type { Json, Memory } from "@benchtop/protocol";
import { estimateTokens } from "../context/estimate.ts";
import type { Tool } from "../tools/tool.ts";
import { retrieve, type MemoryScopes } from "./recall.ts";

/**
 * `remember` and `recall`, for a model that uses memory by itself. What it writes is journaled as `MemoryWritten`, what it
 * finds as `MemoryRetrieved`; undo forgets what was written.
 */
export function memoryTools(memory: Memory, scopes: MemoryScopes): readonly [Tool, Tool] {
  return [rememberTool(memory, scopes), recallTool(memory, scopes)];
}

function rememberTool(memory: Memory, scopes: MemoryScopes): Tool {
  return {
    name: "remember",
    description:
      "Keeps a text for later. With a key it is a note of this conversation, shown from the next request on, and takes the place of the note with the same key. " +
      "Without a key it is kept for other conversations, where it is found by its words: write it so that it can be understood alone. Never keep passwords or keys.",
    inputSchema: {
      type: "object",
      properties: {
        text: { type: "string", minLength: 1, maxLength: 4000 },
        key: { type: "string", minLength: 1, maxLength: 100 },
      },
      required: ["text"],
      additionalProperties: false,
    },
    effects: "external",
    idempotent: true,
    async execute(input, context) {
      const { text, key } = input as { text: string; key?: string };
      const lane = key === undefined ? "episodic" : "working";
      const { id, known, replaced, forgotten } = await memory.write({ lane, scope: scopes[lane], text, key });
      if (known && lane === "episodic") return { content: "This was remembered already." };
      const before = replaced !== undefined && { replaced };
      await context.emit({ type: "MemoryWritten", lane, id, ...before, tokens: estimateTokens(text) });
      const said = known ? "The note was replaced." : "Remembered.";
      const made =
        forgotten.length === 0 ? "" : ` To make room, ${forgotten.length} that were used least were forgotten.`;
      return { content: `${said}${made}` };
    },
    async compensate(input, { events }) {
      const { key } = input as { key?: string };
      for (const event of events) {
        if (event.type !== "MemoryWritten") continue;
        const { id, lane, replaced } = event;
        const scope = scopes[lane];
        if (replaced === undefined) await memory.forget({ scope, id });
        else await memory.write({ lane, scope, key, text: replaced });
      }
    },
  };
}

function recallTool(memory: Memory, scopes: MemoryScopes): Tool {
  return {
    name: "recall",
    description: "Searches what was remembered in earlier conversations, by the words of a question.",
    inputSchema: {
      type: "object",
      properties: {
        query: { type: "string", minLength: 1, maxLength: 2000 },
        limit: { type: "integer", minimum: 1, maximum: 50 },
      },
      required: ["query"],
      additionalProperties: false,
    },
    effects: "none",
    idempotent: true,
    concurrent: true,
    async execute(input, context) {
      const { query, limit } = input as { query: string; limit?: number };
      const question = { lane: "episodic", scope: scopes.episodic, query, limit, maxTokens: mostTokens } as const;
      const { items } = await retrieve(context, memory, question);
      if (items.length === 0) return { content: "Nothing was found." };
      return { content: JSON.stringify(items.map(({ text }): Json => text)) };
    },
  };
}

/** Of one answer. */
const mostTokens = 4000;
