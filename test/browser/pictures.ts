/**
 * Takes the pictures of the README: `node test/browser/pictures.ts [FOLDER]`, `docs/images` unless told. A real daemon, a
 * real browser, and a model on loopback that always says the same.
 */
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { writeGguf } from "../../packages/llama/src/gguf/write.ts";
import { tinyModel } from "../../packages/llama/test/tiny-model.ts";
import { serveRepository, startModelFileServer } from "../../packages/models/test/model-file-server.ts";
import { Bench } from "./bench.ts";

const folder = resolve(process.argv[2] ?? join(import.meta.dirname, "../../docs/images"));
const task = "Make the totals consistent and add a summary.md of 2026";

const hub = await startModelFileServer();
await using bench = await Bench.start({ config: { models: { huggingFace: { baseUrl: hub.url } } } });
await using model = await startScriptedModel();
await bench.client.call("providers.add", {
  name: "workstation",
  kind: "openai-chat",
  baseUrl: model.url,
  local: true,
  prices: { inputPerMillion: 0.4, outputPerMillion: 1.6 },
});
const workbenchId = await bench.workbench("Household budget 959", files());
const { runId } = await bench.client.call("workshop.runAgent", {
  workbenchId,
  task,
  model: "workstation/qwen3-coder-30b",
});
let edit = 0;
for await (const event of bench.client.follow(runId)) {
  if (event.type === "Error") throw new Error(event.error.message);
  if (event.type === "ToolCallRequested" && event.name === "edit_file" && edit === 0) edit = event.seq;
}

await using page = await bench.browser();
await bench.signIn(page);
await page.goto(`${bench.url}/workbenches/${workbenchId}?pane=review&path=src/report.ts&view=inline`);
await page.getByText("unchanged lines").first().waitFor();
await page.waitForLoadState("networkidle");
await page.screenshot({ path: join(folder, "workbench.png") });

await page.goto(`${bench.url}/runs/${runId}?event=${edit}`);
await page.getByRole("region", { name: "Event", exact: true }).getByText("Arguments").waitFor();
await page.waitForLoadState("networkidle");
await page.screenshot({ path: join(folder, "run.png") });

await fillLibrary();
await page.goto(`${bench.url}/models`);
await page.getByRole("list", { name: "Installed models" }).getByText("Loaded", { exact: true }).nth(1).waitFor();
await page.getByRole("list", { name: "Downloads" }).getByText(/left$/).waitFor();
await page.screenshot({ path: join(folder, "models.png") });
await hub.close();

interface Move {
  readonly text?: string;
  readonly calls?: readonly (readonly [name: string, input: object])[];
}

function moves(): readonly Move[] {
  return [
    { text: "I'll look at what there is first.", calls: [["list_files", {}]] },
    {
      calls: [
        ["read_file", { path: "src/report.ts" }],
        ["read_file", { path: "data/expenses-2026.csv" }],
        ["search_files", { pattern: "total" }],
      ],
    },
    {
      text: "The report adds up strings, and one row of the data does not match its parts.",
      calls: [
        [
          "edit_file",
          {
            path: "src/report.ts",
            old_text: `  let total = "";\n  for (const row of rows) {\n    total = total + row.amount;\n  }\n  return total;`,
            new_text: `  let cents = 0;\n  for (const row of rows) {\n    // Amounts are text in the file; cents keep them exact.\n    cents += Math.round(Number(row.amount) * 100);\n  }\n  return (cents / 100).toFixed(2);`,
          },
        ],
        [
          "edit_file",
          {
            path: "src/report.ts",
            old_text: "export function average(rows: Row[]): number {\n  return sum(rows) / rows.length;",
            new_text:
              "export function average(rows: readonly Row[]): number {\n  return rows.length === 0 ? 0 : Number(sum(rows)) / rows.length;",
          },
        ],
        [
          "edit_file",
          {
            path: "data/expenses-2026.csv",
            old_text: "2026-03,total,1840.00",
            new_text: "2026-03,total,1850.00",
          },
        ],
        [
          "write_file",
          {
            path: "summary.md",
            content:
              "# 2026\n\nRent, food and travel of the year.\n\n| Month | Total |\n| --- | ---: |\n| January | 1,850.00 |\n| February | 1,850.00 |\n| March | 1,850.00 |\n",
          },
        ],
        ["delete_file", { path: "notes/old-totals.txt" }],
      ],
    },
    {
      text: "Everything adds up now:\n\n- `src/report.ts` sums in **cents** instead of joining text, and an empty list has an average of 0\n- `data/expenses-2026.csv`: the total of March was 10.00 too low\n- `summary.md` is new; `notes/old-totals.txt` says nothing any more, so I ask to delete it\n\nPlease review the Draft.",
    },
  ];
}

/** Models of every kind: one that was trained here, with a smaller copy and an adapter, one for vectors, and one on its way. */
async function fillLibrary(): Promise<void> {
  const { client } = bench;
  const pairs = [
    ["where is my invoice", "billing"],
    ["the page does not load", "fault"],
    ["can I have two seats more", "sales"],
    ["my card was charged twice", "billing"],
  ];
  const examples = pairs.map(([prompt, completion]) => JSON.stringify({ prompt, completion })).join("\n");
  const done = async ({ runId }: { readonly runId: string }): Promise<void> => {
    for await (const event of client.follow(runId)) if (event.type === "Error") throw new Error(event.error.message);
  };
  await done(
    await client.call("localModels.train", { name: "ticket-kinds", plan: { method: "full", steps: 40 }, examples }),
  );
  await done(
    await client.call("localModels.quantize", { name: "ticket-kinds", quantization: "Q8_0", importance: false }),
  );
  const lora = { method: "lora", base: "ticket-kinds", steps: 20 } as const;
  await done(await client.call("localModels.train", { name: "house-words", plan: lora, examples }));
  await writeGguf(join(bench.folder, "search.gguf"), tinyModel({ name: "search", embeds: true, weights: "F16" }));
  await client.call("localModels.install", { source: join(bench.folder, "search.gguf"), name: "search" });
  await client.call("localModels.configure", { quotaBytes: 1_000_000_000, downloadBytesPerSecond: 6_000_000 });
  await client.call("modelRuntimes.load", { name: "guide" });
  await client.call("modelRuntimes.load", { name: "ticket-kinds", adapters: ["house-words"] });
  const large = { embeddingLength: 512, layers: 8, heads: 8, keyValueHeads: 8, feedForwardLength: 1408 } as const;
  const path = join(bench.folder, "assistant.gguf");
  await writeGguf(path, tinyModel({ name: "assistant", weights: "F16", ...large }));
  serveRepository(hub, "acme/assistant-GGUF", { "assistant-F16.gguf": await readFile(path) });
  await client.call("localModels.install", { source: "hf:acme/assistant-GGUF", name: "assistant" });
  await pause(4_000);
}

function files(): Record<string, string> {
  const months = Array.from({ length: 12 }, (_, index) => `2026-${String(index + 1).padStart(2, "0")}`);
  const rows = months.flatMap((month) => [
    `${month},rent,1200.00`,
    `${month},food,450.00`,
    `${month},travel,200.00`,
    `${month},total,${month === "2026-03" ? "1840.00" : "1850.00"}`,
  ]);
  return {
    "data/expenses-2026.csv": `month,item,amount\n${rows.join("\n")}\n`,
    "data/expenses-2025.csv": "month,item,amount\n2025-12,rent,1150.00\n2025-12,food,430.00\n2025-12,total,1580.00\n",
    "notes/old-totals.txt": "2024: 18,960\n2023: 18,120\n",
    "notes/todo.md": "- [ ] Insurance of the car\n- [x] Deposit for the flat\n",
    "README.md": "# Household budget\n\nOne file of expenses a year, and a report over them.\n",
    "src/report.ts": `/** One line of a file of expenses. */
export interface Row {
  readonly month: string;
  readonly item: string;
  readonly amount: string;
}

/** Reads a file of expenses; totals are lines of their own and left out. */
export function parse(text: string): Row[] {
  const [, ...lines] = text.trim().split("\\n");
  return lines
    .map((line) => line.split(","))
    .map(([month = "", item = "", amount = ""]) => ({ month, item, amount }))
    .filter(({ item }) => item !== "total");
}

// Everything below is about numbers.

/** The sum of all rows, with two decimals. */
export function sum(rows: readonly Row[]): string {
  let total = "";
  for (const row of rows) {
    total = total + row.amount;
  }
  return total;
}

export function average(rows: Row[]): number {
  return sum(rows) / rows.length;
}

export function byMonth(rows: readonly Row[]): Map<string, Row[]> {
  return Map.groupBy(rows, ({ month }) => month);
}
`,
  };
}

/** Chat completions as OpenAI's API streams them; the move is chosen by how many answers the conversation holds. */
async function startScriptedModel(): Promise<AsyncDisposable & { readonly url: string }> {
  const server: Server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((started) => server.listen(0, "127.0.0.1", started));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url?.endsWith("/models") === true) {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ object: "list", data: [{ id: "qwen3-coder-30b", object: "model" }] }));
    return;
  }
  const { messages } = JSON.parse(await text(request)) as { messages: readonly { readonly role: string }[] };
  const turn = messages.filter(({ role }) => role === "assistant").length;
  const move = moves()[turn] ?? {};
  response.setHeader("content-type", "text/event-stream");
  const send = (delta: object, more: object = {}): void => {
    const choice = { index: 0, delta, finish_reason: null, ...more };
    response.write(
      `data: ${JSON.stringify({ id: `c${turn}`, object: "chat.completion.chunk", choices: [choice] })}\n\n`,
    );
  };
  await pause(160);
  for (const word of move.text?.match(/\S+\s*/g) ?? []) {
    send({ content: word });
    await pause(14);
  }
  for (const [index, [name, input]] of (move.calls ?? []).entries()) {
    const call = { name, arguments: JSON.stringify(input) };
    send({ tool_calls: [{ index, id: `call_${turn}_${index}`, type: "function", function: call }] });
  }
  send({}, { finish_reason: move.calls === undefined ? "stop" : "tool_calls" });
  const usage = { prompt_tokens: 1900 + turn * 140, completion_tokens: 172, total_tokens: 2072 + turn * 140 };
  response.write(
    `data: ${JSON.stringify({ id: `c${turn}`, object: "chat.completion.chunk", choices: [], usage })}\n\n`,
  );
  response.end("data: [DONE]\n\n");
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resume) => setTimeout(resume, milliseconds));
}
