import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, get, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { newId, newTraceId, type JournalWriter } from "@benchtop/protocol";
import { openStore, type Store } from "@benchtop/store";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sendEventStream } from "./event-stream.ts";
import type { StoredEvent } from "../api/handler.ts";

let folder: string;
let store: Store;
let server: Server;
let runId: string;
let writer: JournalWriter;
/** Responses that are open, and how many batches were taken from the journal for them. */
let open: number;
let batches: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-stream-"));
  store = await openStore({ home: folder });
  runId = newId("run");
  const run = { runId, traceId: newTraceId(), kind: "prompt", userId: "owner", contract: {}, input: null };
  writer = await store.journal.create(run);
  open = 0;
  batches = 0;
  server = createServer((request, response) => {
    const gone = new AbortController();
    const after = Number(request.headers["last-event-id"] ?? -1);
    response.once("close", () => gone.abort());
    open++;
    const events = counted(store.journal.followPages(runId, { after }, gone.signal));
    void sendEventStream(request, response, { events }, gone.signal).finally(() => open--);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

async function* counted(pages: AsyncIterable<readonly StoredEvent[]>) {
  for await (const page of pages) {
    batches++;
    yield page;
  }
}

function subscribe(lastEventId?: number): Promise<IncomingMessage> {
  const { port } = server.address() as AddressInfo;
  const headers = lastEventId === undefined ? {} : { "last-event-id": String(lastEventId) };
  return new Promise((resolve, reject) => {
    get({ port, host: "127.0.0.1", agent: false, headers }, resolve).on("error", reject);
  });
}

async function readAll(response: IncomingMessage): Promise<{ ids: number[]; text: string }> {
  response.setEncoding("utf8");
  let text = "";
  for await (const chunk of response) text += chunk as string;
  return { ids: [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1])), text };
}

const writeDelta = (text: string) => writer.write({ type: "HintInjected", text });

async function finish(): Promise<number> {
  writer.write({
    type: "Completed",
    finishReason: "stop",
    output: "",
    totals: { steps: 0, toolCalls: 0, usage: { inputTokens: 0, outputTokens: 0 }, queuedMs: 0, durationMs: 1 },
  });
  await writer.close();
  return (await store.ledger.get(runId))?.eventCount ?? 0;
}

test("a frame has the event's seq, its type and its text as stored, and the stream ends with the run", async () => {
  const reading = readAll(await subscribe());
  writeDelta("línea\nnueva");
  await finish();
  const { text, ids } = await reading;
  expect(ids).toEqual([0, 1, 2]);
  const bodies = await store.journal.readBodies(runId);
  expect(text).toBe(
    ["RunStarted", "HintInjected", "Completed"]
      .map((type, seq) => `id: ${seq}\nevent: ${type}\ndata: ${bodies[seq]}\n\n`)
      .join(""),
  );
});

test("H8 a reader that comes back with its last id loses nothing and gets nothing twice", async () => {
  const seen: number[] = [];
  const writing = (async () => {
    for (let number = 0; number < 300; number++) {
      writeDelta(`hint ${number}`);
      await writer.committed();
    }
    return finish();
  })();
  for (let round = 0; ; round++) {
    const response = await subscribe(seen.at(-1));
    if (round < 10) {
      response.setEncoding("utf8");
      let text = "";
      for await (const chunk of response) {
        text += chunk as string;
        if (text.length > 2000) break;
      }
      const whole = text.slice(0, text.lastIndexOf("\n\n") + 2);
      seen.push(...[...whole.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1])));
    } else {
      seen.push(...(await readAll(response)).ids);
      break;
    }
  }
  const length = await writing;
  expect(seen).toEqual([...Array(length).keys()]);
});

test("a reader that does not read holds back its own stream alone and is not buffered for", async () => {
  const response = await subscribe();
  response.pause();
  const text = "x".repeat(100_000);
  for (let number = 0; number < 400; number++) {
    writeDelta(text);
    if (writer.pending > 2_000_000) await writer.committed();
  }
  const length = await finish();
  let before = -1;
  while (batches !== before) {
    before = batches;
    await sleep(100);
  }
  expect(open).toBe(1);
  expect(batches).toBeLessThan(200);
  const { ids } = await readAll(response);
  expect(ids).toEqual([...Array(length).keys()]);
});

test("a reader that goes away frees its stream, whether or not anything happens in the run", async () => {
  const readers = await Promise.all(Array.from({ length: 20 }, () => subscribe()));
  expect(open).toBe(20);
  for (const reader of readers) reader.destroy();
  await expect.poll(() => open).toBe(0);
  await finish();
});

test("a thousand readers follow one run live, and each gets every event", async () => {
  const readers = await Promise.all(Array.from({ length: 1000 }, () => subscribe()));
  const reading = Promise.all(readers.map(readAll));
  for (let number = 0; number < 50; number++) {
    writeDelta(`hint ${number}`);
    await writer.committed();
  }
  const length = await finish();
  const expected = [...Array(length).keys()];
  for (const { ids } of await reading) expect(ids).toEqual(expected);
});
