import { operation, operations, type Operation } from "@benchtop/operations";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { startModelServer, type ModelServer } from "../../../test/model-server.ts";
import {
  grpcCarrier,
  mcpCarrier,
  restCarrier,
  rpcPostCarrier,
  rpcWebSocketCarrier,
  type Carrier,
} from "../test/permissions/carriers.ts";
import { fingerprint } from "../test/permissions/fingerprint.ts";
import { seed, type Seeded } from "../test/permissions/seeds.ts";
import { sweepOperation, type Sweep } from "../test/permissions/sweep.ts";
import { startTestDaemon, unlimited, type TestDaemon } from "../test/test-daemon.ts";
import type { Entry } from "./api/registry.ts";

/**
 * Generated from the registry: every operation × every transport × everyone who may not call it. The calls are real, the
 * two workspaces hold one of each thing, and after them the home is as it was.
 */
let models: ModelServer;
let daemon: TestDaemon;
let victim: Seeded;
let stranger: Seeded;
let carriers: readonly Carrier[] = [];
const sweep: Sweep = { attempts: 0, breaches: [] };

beforeAll(async () => {
  models = await startModelServer();
  const config = { rateLimits: unlimited };
  daemon = await startTestDaemon({ config, extensions: [unprotected, forgetful] });
  victim = await seed(daemon, "aardvark", models.url);
  stranger = await seed(daemon, "bandicoot", models.url);
  carriers = [
    restCarrier(daemon),
    rpcPostCarrier(daemon),
    rpcWebSocketCarrier(daemon),
    await grpcCarrier(daemon, "grpc"),
    await grpcCarrier(daemon, "grpc-web"),
    await grpcCarrier(daemon, "connect-json"),
    mcpCarrier(daemon),
  ];
}, 60_000);
afterAll(async () => {
  console.log(
    `permissions: ${sweep.attempts} calls that had to be refused, on ${carriers.map(({ name }) => name).join(", ")}`,
  );
  for (const carrier of carriers) await carrier[Symbol.asyncDispose]();
  await daemon[Symbol.asyncDispose]();
  await models.close();
});

/** An operation whose author forgot that it needs a permission. */
const unprotected: Entry = {
  operation: operation({
    id: "sabotage.unprotected",
    rpc: "SabotageUnprotected",
    method: "POST",
    path: "/api/v1/sabotage/unprotected",
    permission: "public",
    summary: "Tells anybody how many workbenches there are.",
    input: z.object({ workbenchId: z.string() }),
    output: z.object({ workbenches: z.int() }),
    errors: [],
  }),
  handler: async () => ({ workbenches: 2 }),
};

/** An operation whose author named a workbench with a schema of their own, so that nobody checks whose it is. */
const forgetful: Entry = {
  operation: operation({
    id: "sabotage.forgetful",
    rpc: "SabotageForgetful",
    method: "POST",
    path: "/api/v1/sabotage/forgetful",
    permission: "workbenches:read",
    summary: "Answers about a workbench of anybody's.",
    input: z.object({ workbenchId: z.string() }),
    output: z.object({ workbenchId: z.string() }),
    errors: [],
  }),
  handler: async ({ workbenchId }) => ({ workbenchId }),
};

const all = Object.values(operations) as Operation[];

/** What anybody may call; an operation that becomes public has to be put here, and so be looked at. */
const publicOperations = [
  "system.health",
  "system.ready",
  "signIn.methods",
  "signIn.create",
  "signIn.startOidc",
  "signIn.finishOidc",
  "invitations.look",
  "invitations.accept",
];

test("P1.4 the operations that anybody may call are these and no others", () => {
  expect(all.filter(({ permission }) => permission === "public").map(({ id }) => id)).toEqual(publicOperations);
});

test.each(all.filter(({ id }) => !publicOperations.includes(id)).map((each) => [each.id, each] as const))(
  "P1.4 W22 %s is refused to everyone who may not call it, on every transport, and nothing is done",
  async (_, each) => {
    const before = fingerprint(daemon.home, stranger.workspaceId);
    const found = sweep.breaches.length;
    await sweepOperation(each, { victim, stranger, carriers }, sweep);
    expect(sweep.breaches.slice(found)).toEqual([]);
    expect(fingerprint(daemon.home, stranger.workspaceId)).toEqual(before);
  },
);

test.each([
  [
    "an operation that forgot its permission",
    unprotected,
    ["no token", "a revoked key", "an owner of another workspace"],
  ],
  ["an operation that forgot whose workbench it is", forgetful, ["an owner of another workspace"]],
] as const)("P1.4 the sweep finds %s", async (_, { operation: sabotage }, cases) => {
  const found: Sweep = { attempts: 0, breaches: [] };
  await sweepOperation(sabotage, { victim, stranger, carriers }, found);
  // A WebSocket wants to know who connects before there is any call, so that some cases never reach the operation there.
  for (const { name } of carriers.filter((each) => each.offers(sabotage))) {
    expect(found.breaches.filter(({ carrier }) => carrier === name)).not.toEqual([]);
  }
  expect([...new Set(found.breaches.map((breach) => breach.case))]).toEqual(expect.arrayContaining([...cases]));
});
