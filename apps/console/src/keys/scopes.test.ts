import { operatorPermissions, rolePermissions, scopes } from "@benchtop/operations";
import { expect, test } from "vitest";
import { grantable, scopesOf, summaryOf } from "./scopes.ts";

test("P1.4 a preset never gives what its holder may not do", () => {
  const viewer = grantable(rolePermissions.viewer);
  expect(scopesOf("work", viewer)).toEqual(scopesOf("read", viewer));
  expect(scopesOf("everything", viewer)).toEqual(viewer);
  expect(viewer).not.toContain("runs:write");
});

test("reading and working need no look at members, the access log or the machine", () => {
  const all = grantable(operatorPermissions);
  expect(all).toEqual(scopes);
  expect(scopesOf("read", all)).toEqual(["workbenches:read", "runs:read", "egress:read", "providers:read"]);
  expect(scopesOf("work", all)).toEqual([
    "workbenches:read",
    "workbenches:write",
    "runs:read",
    "runs:write",
    "egress:read",
    "egress:write",
    "providers:read",
  ]);
});

test("a set of scopes is named by the preset that it is", () => {
  const all = grantable(operatorPermissions);
  expect(summaryOf(scopesOf("read", all), all)).toBe("read only");
  expect(summaryOf(["runs:read", "runs:write"], all)).toBe("runs:read, runs:write");
  expect(summaryOf(all.slice(0, 5), all)).toBe("5 scopes");
});
