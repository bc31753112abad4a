import { operations, type Operation, type OperationId } from "@benchtop/operations";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { call, connect, failureIn, kinds } from "../../../test/mcp/clients.ts";
import { budget, furnish, type Furnished } from "../../../test/mcp/furnish.ts";
import { offers } from "./offers.ts";
import { describeTool, toolNameOf } from "./tool-schemas.ts";
import { questions } from "./what-happens.ts";

const all = Object.values(operations) as Operation[];

test("every operation has its place: read, draft, gated or not offered, and what is gated can be told to a person", () => {
  expect(Object.keys(offers).toSorted()).toEqual(Object.keys(operations).toSorted());
  const idsOf = (kind: string) => all.filter(({ id }) => offers[id as OperationId].kind === kind).map(({ id }) => id);
  const reads = all.filter(({ method }) => method === "GET").map(({ id }) => id);
  expect(reads).toEqual(expect.arrayContaining(idsOf("read")));
  expect(Object.keys(questions)).toEqual(expect.arrayContaining(idsOf("gated")));
});

test("what makes an AI's work real, or loses something, is gated; consent, access and raw bytes are not offered at all", () => {
  const real = ["draft.publish", "draft.discard", "draft.confirmDeletions", "checkpoints.restore"] as const;
  const lost = [
    "workbenches.delete",
    "files.remove",
    "checkpoints.remove",
    "runs.undo",
    "runs.delete",
    "runs.prune",
    "memory.clear",
  ] as const;
  // What was said, what was looked at, and what every agent is told are a person's word.
  const theirs = [
    "draft.decide",
    "workshop.undoToMessage",
    "workshop.regenerate",
    "contextItems.put",
    "contextItems.remove",
  ] as const;
  for (const id of [...real, ...lost, ...theirs, "files.add", "outsideChanges.resolve", "runs.resume"] as const) {
    expect({ id, ...offers[id] }).toMatchObject({ id, kind: "gated" });
  }
  const access = ["keys:write", "members:read", "members:write", "workspace:write", "installation:write", "audit:read"];
  const withheld = all.filter(({ permission }) => ["public", "host:files", ...access].includes(permission));
  for (const id of [
    "egress.grantConsent",
    "providers.add",
    "draft.edit",
    ...withheld.map((operation) => operation.id),
  ]) {
    expect({ id, ...offers[id as OperationId] }).toMatchObject({ id, kind: "none" });
  }
});

test("a tool's name is one that every client takes, and its schemas are objects without a field for consent", () => {
  const tools = all.flatMap((operation) => describeTool(operation) ?? []);
  expect(new Set(tools.map(({ name }) => name)).size).toBe(tools.length);
  for (const { name, inputSchema, outputSchema, annotations, description } of tools) {
    expect(name).toMatch(/^[a-z][a-z0-9_]{0,63}$/);
    expect(inputSchema.type).toBe("object");
    expect(Object.keys(inputSchema.properties ?? {})).not.toContain("consent");
    expect(outputSchema?.type ?? "object").toBe("object");
    expect(description).not.toBe("");
    expect(annotations?.readOnlyHint === true && annotations.destructiveHint === true).toBe(false);
  }
  expect(toolNameOf("runs.eventPage")).toBe("runs_event_page");
});

let furnished: Furnished;
beforeAll(async () => {
  const ping = {
    id: "own.ping",
    rpc: "OwnPing",
    method: "GET",
    path: "/api/v1/own/ping",
    permission: "self",
    summary: "Of a program that embeds the daemon.",
    input: z.object({}),
    output: z.object({ pong: z.boolean() }),
    errors: [],
  } as const satisfies Operation;
  const fails = { ...ping, id: "own.fails", rpc: "OwnFails", path: "/api/v1/own/fails" };
  const changes = {
    ...ping,
    id: "own.changes",
    rpc: "OwnChanges",
    method: "POST",
    path: "/api/v1/own/changes",
  } as const;
  const many = Array.from({ length: 70 }, (_, number) => ({
    operation: { ...ping, id: `own.ping${number}`, rpc: `OwnPing${number}`, path: `/api/v1/own/ping/${number}` },
    handler: async () => ({ pong: true }),
  }));
  furnished = await furnish({
    extensions: [
      { operation: ping, handler: async () => ({ pong: true }) },
      { operation: changes, handler: async () => ({ pong: true }) },
      {
        operation: fails,
        handler: async () => {
          throw new Error("the password is hunter2");
        },
      },
      ...many,
    ],
  });
});
afterAll(() => furnished[Symbol.asyncDispose]());

describe.each(kinds)("with %s", (kind) => {
  test("operations are tools with structured answers, and files are read as text", async () => {
    const workbenchId = await furnished.workbench(`files ${kind}`, budget);
    await using mcp = await connect(kind, furnished.daemon);
    const listed = await call(mcp, "files_list", { workbenchId });
    expect(listed.structuredContent).toMatchObject({ items: [{ path: "data.csv" }, { path: "notes.md" }] });
    expect(JSON.parse(listed.content[0]?.text ?? "")).toEqual(listed.structuredContent);
    const read = await call(mcp, "files_read", { workbenchId, path: "notes.md" });
    expect(read.content).toMatchObject([{ type: "resource", resource: { text: budget["notes.md"] } }]);
    expect(read._meta).toMatchObject({ "benchtop/untrusted": true });
  });

  test("a failure is a result with ErrorInfo, and one that nobody expected says nothing of its cause", async () => {
    await using mcp = await connect(kind, furnished.daemon);
    const missing = await call(mcp, "workbenches_open", { workbenchId: "nowhere" });
    expect(failureIn(missing)).toMatchObject({ error_code: "NOT_FOUND", retryable: false });
    expect(JSON.parse(missing.content[1]?.text ?? "")).toMatchObject({ error: { error_code: "NOT_FOUND" } });
    const wrong = await call(mcp, "files_list", { workbenchId: 7, limit: -1 });
    expect(failureIn(wrong)).toMatchObject({
      error_code: "VALIDATION_FAILED",
      detail: { fields: ["workbenchId", "limit"] },
    });
    const unexpected = await call(mcp, "own_fails");
    expect(failureIn(unexpected)).toMatchObject({ error_code: "INTERNAL" });
    expect(JSON.stringify(unexpected)).not.toContain("hunter2");
    await expect(call(mcp, "no_such_tool")).rejects.toThrow("There is no such tool");
    await expect(call(mcp, "keys_create", { name: "mine", scopes: ["runs:read"] })).rejects.toThrow(
      "There is no such tool",
    );
  });

  test("S7 consent cannot be given over MCP, neither by a tool nor by an argument", async () => {
    const workbenchId = await furnished.workbench(`consent ${kind}`, budget);
    await using mcp = await connect(kind, furnished.daemon);
    for (const name of ["workshop_run_agent", "runs_start"]) {
      const args = { workbenchId, model: "far/m", task: "read", prompt: "read", consent: { mode: "always" } };
      expect(failureIn(await call(mcp, name, args))).toMatchObject({ error_code: "PERMISSION_DENIED" });
    }
    await expect(call(mcp, "egress_grant_consent", {})).rejects.toThrow("There is no such tool");
    expect((await furnished.ask("GET", "/api/v1/runs?kind=agent"))["items"]).not.toContainEqual(
      expect.objectContaining({ workbenchId }),
    );
  });

  test("P1.4 a key sees and uses the tools of its scopes alone", async () => {
    const { secret } = await furnished.key("workbenches:read");
    await using mcp = await connect(kind, furnished.daemon, { token: secret });
    const { tools } = await mcp.client.listTools();
    const names = tools.map(({ name }) => name);
    expect(names).toContain("files_read");
    expect(names).not.toContain("draft_publish");
    expect(names).not.toContain("workshop_run_agent");
    expect(names).not.toContain("system_status");
    const publish = await call(mcp, "draft_publish", { workbenchId: "any" });
    expect(failureIn(publish)).toMatchObject({
      error_code: "PERMISSION_DENIED",
      detail: { permission: "workbenches:write" },
    });
    expect((await mcp.client.listPrompts()).prompts.map(({ name }) => name)).not.toContain("explain_run");
  });
});

test("many tools come in pages, and a cursor of somebody's own making is refused", async () => {
  await using mcp = await connect("the classic client", furnished.daemon);
  const first = await mcp.client.listTools();
  expect(first.tools).toHaveLength(100);
  const second = await mcp.client.listTools({ cursor: first.nextCursor ?? "" });
  expect(second.nextCursor).toBeUndefined();
  const names = [...first.tools, ...second.tools].map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toContain("own_ping69");
  await expect(mcp.client.listTools({ cursor: "../1" })).rejects.toThrow("cursor");
  await expect(mcp.client.listResources({ cursor: "e30" })).rejects.toThrow("cursor");
});

test("an operation of an embedding program that changes something asks a person, too", async () => {
  const shown: string[] = [];
  await using mcp = await connect("MCP 2026-07-28", furnished.daemon, {
    person(message) {
      shown.push(message);
      return { action: "accept", content: { confirm: true } };
    },
  });
  expect((await call(mcp, "own_changes")).structuredContent).toEqual({ pong: true });
  expect(shown[0]).toContain("own.changes");
  await using mute = await connect("MCP 2026-07-28", furnished.daemon);
  expect(failureIn(await call(mute, "own_changes"))).toMatchObject({ error_code: "PERMISSION_DENIED" });
});
