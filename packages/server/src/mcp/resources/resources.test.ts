import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, kinds, type McpClient } from "../../../test/mcp/clients.ts";
import { budget, furnish, type Furnished } from "../../../test/mcp/furnish.ts";
import { parseUri, uriOf } from "./uris.ts";

let furnished: Furnished;
let workbenchId: string;
let runId: string;
beforeAll(async () => {
  furnished = await furnish();
  workbenchId = await furnished.workbench("budget", { ...budget, "täglich/über 100%.md": "ünïcode\n" });
  runId = await furnished.draft(workbenchId);
});
afterAll(() => furnished[Symbol.asyncDispose]());

async function readText({ client }: McpClient, uri: string): Promise<string> {
  const { contents } = await client.readResource({ uri });
  const [content] = contents as { text?: string; blob?: string; _meta?: Record<string, unknown> }[];
  expect(content?._meta).toMatchObject({ "benchtop/untrusted": true });
  return content?.text ?? Buffer.from(content?.blob ?? "", "base64").toString();
}

test("an address of ours says what it names, and comes back the same", () => {
  for (const path of ["a.md", "täglich/über 100%.md", "a b/c?d#e.md"]) {
    for (const side of ["published", "draft"] as const) {
      const named = { kind: "file", workbenchId: "wb_1", side, path } as const;
      expect(parseUri(uriOf(named))).toEqual(named);
    }
  }
  for (const wrong of [
    "file:///etc/passwd",
    "benchtop://",
    "benchtop://workbenches/",
    "benchtop://runs/%zz",
    "benchtop://x/y",
  ]) {
    expect([wrong, parseUri(wrong)]).toEqual([wrong, undefined]);
  }
});

describe.each(kinds)("with %s", (kind) => {
  test("files, the review of the Draft and journals are listed and read", async () => {
    await using mcp = await connect(kind, furnished.daemon);
    const { resources } = await mcp.client.listResources();
    const uris = resources.map(({ uri }) => uri);
    expect(uris).toContain(`benchtop://workbenches/${workbenchId}/files/notes.md`);
    expect(uris).toContain(`benchtop://workbenches/${workbenchId}/draft`);
    expect(uris).toContain(`benchtop://runs/${runId}`);
    expect(await readText(mcp, `benchtop://workbenches/${workbenchId}/files/notes.md`)).toBe(budget["notes.md"]);
    const unicode = uris.find((uri) => uri.includes("100%25")) ?? "";
    expect(await readText(mcp, unicode)).toBe("ünïcode\n");
    // By name, as a template may be filled in.
    expect(await readText(mcp, "benchtop://workbenches/budget/draft/files/data.csv")).toContain("total,1000");
    expect(await readText(mcp, "benchtop://workbenches/budget/files/data.csv")).toContain("total,900");
    const review = await readText(mcp, "benchtop://workbenches/budget/draft");
    expect(review).toContain("modified data.csv (+1 −1 lines)");
    expect(review).toContain("-total,900\n+total,1000");
    const journal = JSON.parse(await readText(mcp, `benchtop://runs/${runId}`)) as { events: { type: string }[] };
    expect(journal.events.at(-1)?.type).toBe("Completed");
    expect(journal.events.map(({ type }) => type)).not.toContain("OutputDelta");
  });

  test("what is not there, or is none of ours, is not found", async () => {
    await using mcp = await connect(kind, furnished.daemon);
    for (const uri of [
      `benchtop://workbenches/${workbenchId}/files/nothing.md`,
      `benchtop://workbenches/${workbenchId}/files/..%2f..%2fbootstrap-token`,
      "benchtop://workbenches/nowhere/files/a.md",
      "benchtop://runs/run_nothing",
      "file:///etc/passwd",
    ]) {
      await expect(mcp.client.readResource({ uri })).rejects.toMatchObject({
        code: expect.any(Number) as unknown,
      });
    }
  });

  test("variables of templates are completed from what is there", async () => {
    await using mcp = await connect(kind, furnished.daemon);
    const { resourceTemplates } = await mcp.client.listResourceTemplates();
    const uri = resourceTemplates.find(({ name }) => name === "file")?.uriTemplate ?? "";
    const complete = async (name: string, value: string, of = uri, args: Record<string, string> = {}) => {
      const ref = { type: "ref/resource", uri: of } as const;
      const answer = await mcp.client.complete({ ref, argument: { name, value }, context: { arguments: args } });
      return answer.completion.values;
    };
    expect(await complete("workbench", "bud")).toEqual(["budget"]);
    expect(await complete("path", "no", uri, { workbench: "budget" })).toEqual(["notes.md"]);
    expect(await complete("path", "no")).toEqual([]);
    expect(await complete("run", runId.slice(0, 8), "benchtop://runs/{run}")).toContain(runId);
    expect(await complete("run", "", "benchtop://nothing/{run}")).toEqual([]);
  });

  test("prompts are put together from what is there, with what others wrote as an attachment", async () => {
    await using mcp = await connect(kind, furnished.daemon);
    const { prompts } = await mcp.client.listPrompts();
    expect(prompts.map(({ name }) => name)).toEqual(["review_draft", "explain_run", "plan_work"]);
    const review = await mcp.client.getPrompt({ name: "review_draft", arguments: { workbench: "budget" } });
    expect(review.messages).toMatchObject([
      { role: "user", content: { type: "text", text: expect.stringContaining("Publish nothing") as unknown } },
      {
        role: "user",
        content: { type: "resource", resource: { text: expect.stringContaining("total,1000") as unknown } },
      },
    ]);
    const explained = await mcp.client.getPrompt({ name: "explain_run", arguments: { run: runId } });
    expect(JSON.stringify(explained)).toContain("ToolCallRequested");
    const plan = await mcp.client.getPrompt({
      name: "plan_work",
      arguments: { workbench: "budget", goal: "a yearly view" },
    });
    expect(JSON.stringify(plan)).toContain("a yearly view");
    expect(JSON.stringify(plan)).toContain("data.csv");
    await expect(mcp.client.getPrompt({ name: "plan_work", arguments: { workbench: "budget" } })).rejects.toThrow(
      "goal",
    );
    await expect(mcp.client.getPrompt({ name: "nothing" })).rejects.toThrow("no such prompt");
    const ref = { type: "ref/prompt", name: "review_draft" } as const;
    const { completion } = await mcp.client.complete({ ref, argument: { name: "workbench", value: "b" } });
    expect(completion.values).toEqual(["budget"]);
  });
});

test("long lists come in pages that hold everything once", async () => {
  const many = Object.fromEntries(Array.from({ length: 230 }, (_, number) => [`many/${number}.txt`, `${number}`]));
  const id = await furnished.workbench("many", many);
  await using mcp = await connect("the classic client", furnished.daemon);
  const uris: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await mcp.client.listResources(cursor === undefined ? {} : { cursor });
    expect(page.resources.length).toBeLessThan(300);
    uris.push(...page.resources.map(({ uri }) => uri));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  expect(new Set(uris).size).toBe(uris.length);
  expect(uris.filter((uri) => uri.startsWith(`benchtop://workbenches/${id}/files/many/`))).toHaveLength(230);
});

test("a file that is too large for an answer is named, not read", async () => {
  const id = await furnished.workbench("large", { "large.txt": "x".repeat(1_000_001) });
  await using mcp = await connect("MCP 2026-07-28", furnished.daemon);
  const reading = mcp.client.readResource({ uri: `benchtop://workbenches/${id}/files/large.txt` });
  await expect(reading).rejects.toThrow("1000001 bytes");
});

test("bytes that are no text come as a blob", async () => {
  const id = await furnished.workbench("bytes", {});
  const bytes = new Uint8Array([0, 255, 1, 254]);
  const stored = await furnished.daemon.fetch("/api/v1/uploads", { method: "PUT", body: bytes });
  const { sha256 } = (await stored.json()) as { sha256: string };
  await furnished.ask("POST", `/api/v1/workbenches/${id}/files`, { uploads: [{ path: "some.bin", sha256 }] });
  await using mcp = await connect("MCP 2025-11-25", furnished.daemon);
  const { contents } = await mcp.client.readResource({ uri: `benchtop://workbenches/${id}/files/some.bin` });
  expect(contents).toMatchObject([{ blob: Buffer.from(bytes).toString("base64") }]);
});

test.each(["MCP 2025-11-25", "the classic client"] as const)(
  "a client of %s that watches a run is told when its journal grows",
  async (kind) => {
    await using mcp = await connect(kind, furnished.daemon);
    const { runId: watched } = (await furnished.ask("POST", "/api/v1/runs", {
      model: "loop/slow",
      prompt: "say a lot",
    })) as {
      runId: string;
    };
    const uri = `benchtop://runs/${watched}`;
    const told: string[] = [];
    mcp.client.fallbackNotificationHandler = async ({ method, params }) => {
      if (method === "notifications/resources/updated") told.push((params as { uri: string }).uri);
    };
    await mcp.client.subscribeResource({ uri });
    await expect.poll(() => told, { timeout: 10_000 }).toContain(uri);
    await mcp.client.unsubscribeResource({ uri });
    await furnished.ask("POST", `/api/v1/runs/${watched}/abort`, {});
    await expect(mcp.client.subscribeResource({ uri: "benchtop://runs/run_nothing" })).rejects.toThrow("no run");
    await expect(mcp.client.subscribeResource({ uri: "benchtop://workbenches/budget" })).rejects.toThrow("Only runs");
  },
);

test("a client of the newer protocol watches a run with a stream, and only one that it may read", async () => {
  await using mcp = await connect("MCP 2026-07-28", furnished.daemon);
  const { runId: watched } = (await furnished.ask("POST", "/api/v1/runs", {
    model: "loop/slow",
    prompt: "say a lot",
  })) as {
    runId: string;
  };
  const uri = `benchtop://runs/${watched}`;
  const told: string[] = [];
  mcp.client.setNotificationHandler("notifications/resources/updated", ({ params }) => void told.push(params.uri));
  const subscription = await mcp.client.listen({ resourceSubscriptions: [uri] });
  await expect.poll(() => told, { timeout: 10_000 }).toContain(uri);
  await subscription.close();
  await furnished.ask("POST", `/api/v1/runs/${watched}/abort`, {});
  await expect(mcp.client.listen({ resourceSubscriptions: ["benchtop://runs/run_nothing"] })).rejects.toThrow(
    "not there",
  );
});
