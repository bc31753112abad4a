import { operation } from "@benchtop/operations";
import { RunEvent } from "@benchtop/protocol";
import { z } from "zod";
import type { EventSource, StoredEvent } from "../src/api/handler.ts";
import type { Entry } from "../src/api/registry.ts";

/** A stream as long and as heavy as a test wants it, through the same door as any other operation. */
export interface Flood {
  readonly entry: Entry;
  /** Readers that hold the source open now. */
  open: number;
  /** Pages that were asked for, all together. */
  pages: number;
}

const runId = "run_flood";

export function createFlood(): Flood {
  const definition = operation({
    id: "test.flood",
    rpc: "TestFlood",
    method: "GET",
    path: "/api/v1/test/flood",
    permission: "runs:read",
    transfer: "stream",
    summary: "Events without end.",
    input: z.object({
      events: z.coerce.number().int(),
      text: z.coerce.number().int().default(10),
      after: z.coerce.number().int().default(-1),
      /** No event comes after this one until the reader goes away. */
      stillAfter: z.coerce.number().int().optional(),
    }),
    output: RunEvent,
    errors: [],
  });
  const flood: Flood = {
    open: 0,
    pages: 0,
    entry: {
      operation: definition,
      handler: async (input, { signal }) => source(flood, input as never, signal),
    },
  };
  return flood;
}

function source(
  flood: Flood,
  { events, text, after, stillAfter }: { events: number; text: number; after: number; stillAfter?: number },
  signal: AbortSignal,
): EventSource {
  const body = (seq: number): string =>
    JSON.stringify({
      type: "OutputDelta",
      runId,
      seq,
      at: "2026-01-01T00:00:00.000Z",
      traceId: "0".repeat(32),
      spanId: "0".repeat(16),
      callId: "c",
      channel: "text",
      text: "x".repeat(text),
    });
  async function* read(from: { after: number; limit: number }): AsyncGenerator<readonly StoredEvent[]> {
    flood.open++;
    try {
      const end = Math.min(events, from.after + 1 + from.limit);
      for (let first = from.after + 1; first < end;) {
        if (stillAfter !== undefined && first > stillAfter) {
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          return;
        }
        const page = Array.from({ length: Math.min(64, end - first) }, (_, place): StoredEvent => {
          const seq = first + place;
          return { seq, body: body(seq), event: { type: "OutputDelta" } };
        });
        first += page.length;
        flood.pages++;
        await new Promise((resolve) => setImmediate(resolve));
        yield page;
      }
    } finally {
      flood.open--;
    }
  }
  return { after, events: read({ after, limit: Infinity }), read };
}
