import { appendFileSync, readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { Server, type CallToolResult, type ServerContext, type Tool } from "@modelcontextprotocol/server";

const anything = { type: "object" as const, properties: {} };
const text = (content: string): CallToolResult => ({ content: [{ type: "text", text: content }] });

/** A well-behaved server, made with the official SDK. Calls and cancellations are noted in the file `notes`. */
export function workshopServer(notes: string): Server {
  const note = (line: string) => appendFileSync(notes, `${line}\n`);
  const server = new Server({ name: "workshop", version: "1.0.0" }, { capabilities: { tools: { listChanged: true } } });
  let extra: Tool[] = [];

  server.setRequestHandler("tools/list", ({ params }) => {
    // Two pages.
    if (params?.cursor === undefined) return { tools: firstPage, nextCursor: "more" };
    return { tools: [...secondPage, ...extra] };
  });

  server.setRequestHandler("tools/call", async ({ params }, context) => {
    const { name, arguments: input = {} } = params;
    note(`called ${name}`);
    switch (name) {
      case "add":
        return text(String(Number(input["a"]) + Number(input["b"])));
      case "wait":
        return waitForAbort(context, note);
      case "count":
        return count(context);
      case "grow":
        extra = [{ name: "grown", description: "New.", inputSchema: anything }];
        await server.sendToolListChanged();
        return text("grown");
      case "everything":
        return everything;
      case "environment":
        return text(JSON.stringify(Object.keys(process.env).toSorted()));
      case "crash":
      case "crash-once":
      case "crash-unsafe":
        return crash(name, notes);
      default:
        return { ...text("No such thing."), isError: true };
    }
  });
  return server;
}

const hints = { readOnlyHint: true };
const firstPage: Tool[] = [
  {
    name: "add",
    description: "Adds two numbers.",
    annotations: hints,
    inputSchema: {
      type: "object",
      properties: { a: { type: "number" }, b: { type: "number" } },
      required: ["a", "b"],
    },
  },
  { name: "wait", description: "Waits until it is told to stop.", inputSchema: anything },
  { name: "count", description: "Reports progress.", inputSchema: anything },
];
const secondPage: Tool[] = [
  { name: "grow", description: "Adds a tool.", inputSchema: anything },
  { name: "everything", description: "Every kind of content.", inputSchema: anything },
  { name: "environment", description: "Names of variables.", inputSchema: anything },
  { name: "crash", description: "Ends the server.", inputSchema: anything, annotations: { idempotentHint: true } },
  { name: "crash-once", description: "Ends it once.", inputSchema: anything, annotations: { idempotentHint: true } },
  { name: "crash-unsafe", description: "Ends it.", inputSchema: anything },
];

async function waitForAbort({ mcpReq }: ServerContext, note: (line: string) => void): Promise<CallToolResult> {
  await new Promise((resolve) => mcpReq.signal.addEventListener("abort", resolve));
  note("canceled");
  return text("stopped");
}

async function count({ mcpReq }: ServerContext): Promise<CallToolResult> {
  const progressToken = mcpReq._meta?.progressToken;
  for (let progress = 1; progress <= 4; progress++) {
    const params = { progressToken: progressToken ?? 0, progress, total: 4, message: `part ${progress}` };
    if (progressToken !== undefined) await mcpReq.notify({ method: "notifications/progress", params });
    await wait(150);
  }
  return text("counted");
}

const everything: CallToolResult = {
  content: [
    { type: "text", text: "words" },
    { type: "image", data: Buffer.from("not really").toString("base64"), mimeType: "image/png" },
    { type: "resource", resource: { uri: "file:///a.txt", mimeType: "text/plain", text: "the file" } },
    { type: "resource", resource: { uri: "file:///b.bin", mimeType: "application/x", blob: "AAAA" } },
    { type: "resource_link", uri: "file:///c.txt", name: "c", description: "Another\none" },
  ],
};

function crash(name: string, notes: string): CallToolResult {
  const calls = readFileSync(notes, "utf8").split(`called ${name}\n`).length - 1;
  const survives = name === "crash-once" && calls > 1;
  return survives ? text("this time it worked") : process.exit(3);
}
