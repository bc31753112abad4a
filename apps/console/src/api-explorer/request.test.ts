import { expect, test } from "vitest";
import type { ApiOperation } from "./document.ts";
import { asCurl, asJsonRpc, asTypeScript, missingFields, requestOf } from "./request.ts";

const rename: ApiOperation = {
  id: "workbenches.rename",
  group: "workbenches",
  method: "PATCH",
  path: "/api/v1/workbenches/{workbenchId}",
  summary: "Rename a workbench.",
  permission: "workbenches:write",
  rpc: "WorkbenchesRename",
  transfer: "json",
  fields: [
    { name: "workbenchId", place: "path", required: true, schema: { type: "string" } },
    { name: "name", place: "body", required: true, schema: { type: "string" } },
  ],
  failures: [],
};
const list: ApiOperation = {
  ...rename,
  id: "runs.list",
  method: "GET",
  path: "/api/v1/runs",
  fields: [{ name: "limit", place: "query", required: false, schema: { type: "integer" } }],
};
const origin = { url: "http://127.0.0.1:4317", workspace: undefined };

test("fields go where the operation wants them, and nothing that was filled in leaves its place", () => {
  const input = { workbenchId: "a/../b?c", name: "It's" };
  expect(requestOf(rename, input)).toEqual({
    method: "PATCH",
    address: "/api/v1/workbenches/a%2F..%2Fb%3Fc",
    body: `{"name":"It's"}`,
  });
  expect(requestOf(list, { limit: 5 })).toEqual({ method: "GET", address: "/api/v1/runs?limit=5", body: undefined });
  expect(missingFields(rename, { name: "x", workbenchId: "" })).toEqual(["workbenchId"]);
});

test("the line for a shell survives quotes, and names a token without holding one", () => {
  expect(asCurl(rename, { workbenchId: "wb_1", name: "It's $HOME" }, { ...origin, workspace: "ws_1" })).toBe(
    [
      "curl -X PATCH 'http://127.0.0.1:4317/api/v1/workbenches/wb_1'",
      `-H "Authorization: Bearer $BENCHTOP_TOKEN"`,
      "-H 'Benchtop-Workspace: ws_1'",
      "-H 'Content-Type: application/json'",
      `-d '{"name":"It'\\''s $HOME"}'`,
    ].join(" \\\n  "),
  );
});

test("the client's call and the message of JSON-RPC say the same in their own spelling", () => {
  const input = { workbenchId: "wb_1", name: "New" };
  expect(asTypeScript(rename, input, origin)).toContain(
    `await client.call("workbenches.rename", { workbenchId: "wb_1", name: "New" });`,
  );
  expect(JSON.parse(asJsonRpc(rename, input) ?? "")).toEqual({
    jsonrpc: "2.0",
    id: 1,
    method: "WorkbenchesRename",
    params: { workbench_id: "wb_1", name: "New" },
  });
  expect(asJsonRpc({ ...rename, transfer: "upload" }, input)).toBeUndefined();
});
