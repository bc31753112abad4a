import { Harness, openaiChat, type Tool } from "@benchtop/harness";
import { openStore } from "@benchtop/store";
import { toolDescription, type Measured } from "./measured.ts";

/** Each run in the durable journal; the application iterates its committed events. */
export const measured: Measured = {
  name: "Benchtop harness, durable journal (SQLite)",
  async open(folder) {
    const store = await openStore({ home: folder });
    const runIds: string[] = [];
    const heard = new Map<string, string>();
    let executed = 0;
    const noop: Tool = {
      name: "noop",
      description: toolDescription,
      inputSchema: { type: "object", properties: { n: { type: "number" } }, required: ["n"] },
      effects: "none",
      idempotent: true,
      async execute() {
        executed += 1;
        return { content: "ok" };
      },
    };
    const start = async (baseUrl: string, tools: readonly Tool[]) => {
      const provider = openaiChat({ id: "bench", baseUrl });
      const harness = Harness.builder().provider(provider).journal(store.journal).tools(tools).build();
      const handle = await harness.session({ model: "bench/bench" }).run("Go.").start();
      runIds.push(handle.runId);
      return handle;
    };
    return {
      async answer(baseUrl, hear) {
        const handle = await start(baseUrl, []);
        let text = "";
        for await (const event of handle) {
          if (event.type !== "OutputDelta") continue;
          hear(event.text);
          text += event.text;
        }
        heard.set(handle.runId, text);
        const { error } = await handle.result;
        if (error) throw error;
      },
      async callTools(baseUrl) {
        executed = 0;
        const handle = await start(baseUrl, [noop]);
        for await (const event of handle) void event;
        const { error } = await handle.result;
        if (error) throw error;
        return executed;
      },
      async check() {
        let events = 0;
        for (const runId of runIds) {
          const { ok, eventCount, violations } = await store.journal.verify(runId);
          if (!ok) throw new Error(`The journal of ${runId} is damaged: ${violations.join(" ")}`);
          events += eventCount;
          const text = heard.get(runId);
          if (text !== undefined && text !== (await textOf(store, runId))) throw new Error(`${runId} lost text.`);
        }
        return `${runIds.length} runs, ${events} events: hash chains, invariants and texts checked`;
      },
      close: () => store.close(),
    };
  },
};

async function textOf(store: Awaited<ReturnType<typeof openStore>>, runId: string): Promise<string> {
  let text = "";
  for await (const event of store.journal.follow(runId)) if (event.type === "OutputDelta") text += event.text;
  return text;
}
