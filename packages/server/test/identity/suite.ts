import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { TestDaemon } from "../test-daemon.ts";
import { attacks, type Scene } from "./attacks.ts";
import { accept, byToken, invite, makeKey, nobody, startTeam, tokenIn, type Asker, type Person } from "./team.ts";

/** What identities promise, on whatever database. */
export function identitySuite(start: () => Promise<TestDaemon>): void {
  let scene: Scene;
  beforeAll(async () => {
    const daemon = await start();
    const acme = await startTeam(daemon, "acme");
    const rival = await startTeam(daemon, "rival");
    const both = await accept(daemon, await invite(rival.owner, "owner"), { displayName: "both" });
    await both.ask("POST", "/api/v1/invitations/accept", { token: await invite(acme.owner, "viewer") });
    await makeKey(acme.owner, ["runs:read"]);
    await makeKey(rival.owner, ["runs:read"]);
    await invite(rival.owner, "viewer");
    scene = { daemon, acme, rival, both };
  }, 60_000);
  afterAll(() => scene.daemon[Symbol.asyncDispose]());

  describe("P1.4 nobody gets more than they may", () => {
    test.each(attacks)("$name: $refused", async ({ prepare, attempt, refused }) => {
      const prepared = (await prepare?.(scene)) ?? nobody(scene.daemon);
      const before = await everything(scene);
      const { code, status } = await attempt(scene, prepared);
      expect({ code, status }).toEqual({ code: refused, status: statusOf[refused] });
      expect(await everything(scene)).toEqual(before);
    });
  });

  test("a workspace of others looks exactly like one that does not exist", async () => {
    const { acme, rival } = scene;
    const key = byToken(scene.daemon, (await makeKey(acme.owner, ["runs:read"])).secret);
    for (const asker of [acme.owner, key]) {
      expect(await asked(asker, rival.workspaceId)).toEqual(await asked(asker, "ws_no_such"));
    }
  });

  test("of many who take one invitation at the same time, one is let in", async () => {
    const { daemon, acme } = scene;
    const token = await invite(acme.owner, "viewer");
    const attempts = Array.from({ length: 8 }, (_, number) =>
      nobody(daemon).ask("POST", "/api/v1/invitations/accept", { token, displayName: `racer ${number}` }),
    );
    const told = await Promise.all(attempts);
    expect(told.filter(({ status }) => status === 200)).toHaveLength(1);
    expect((await names(acme.owner)).filter((name) => name.startsWith("racer"))).toHaveLength(1);
  });

  test("one owner stays: the last can neither leave nor step down, and two who remove each other leave one", async () => {
    const { daemon } = scene;
    const { operator, owner, workspaceId } = await startTeam(daemon, "owners");
    const second = await accept(daemon, await invite(owner, "owner"), { displayName: "second" });
    expect((await operator.ask("DELETE", "/api/v1/members/owner")).code).toBe("ok");
    const [one, other] = await Promise.all([
      owner.ask("DELETE", `/api/v1/members/${second.userId}`),
      second.ask("DELETE", `/api/v1/members/${owner.userId}`),
    ]);
    expect([one.status, other.status].filter((status) => status === 200)).toHaveLength(1);
    const left = one.status === 200 ? owner : second;
    // A program that is an owner does not count: it looks after nobody.
    await makeKey(left, ["runs:read"], { service: { role: "owner" } });
    expect((await left.ask("DELETE", `/api/v1/members/${left.userId}`)).code).toBe("VALIDATION_FAILED");
    expect((await left.ask("PATCH", `/api/v1/members/${left.userId}`, { role: "admin" })).code).toBe(
      "VALIDATION_FAILED",
    );
    expect((await operator.ask("DELETE", `/api/v1/members/${left.userId}`)).code).toBe("VALIDATION_FAILED");
    expect((await operator.ask("GET", "/api/v1/whoami")).body).toMatchObject({
      operator: true,
      role: null,
      workspaceId,
    });
  });

  test("a key does what its scopes and its holder's role both allow, at the moment of use", async () => {
    const { daemon, acme } = scene;
    const person = await accept(daemon, await invite(acme.owner, "editor"), { displayName: "changing" });
    const { secret, keyId } = await makeKey(person, ["runs:read", "runs:write"]);
    const key = byToken(daemon, secret);
    const may = async () => (await key.ask("GET", "/api/v1/whoami")).body;
    expect(await may()).toMatchObject({ via: "api-key", keyId, permissions: ["self", "runs:read", "runs:write"] });
    await acme.owner.ask("PATCH", `/api/v1/members/${person.userId}`, { role: "viewer" });
    expect(await may()).toMatchObject({ role: "viewer", permissions: ["self", "runs:read"] });
    await acme.owner.ask("PATCH", `/api/v1/members/${person.userId}`, { role: "editor" });
    expect(await may()).toMatchObject({ permissions: ["self", "runs:read", "runs:write"] });
  });

  test("a key that a key makes ends with it at the latest", async () => {
    const { daemon, acme } = scene;
    const parent = await makeKey(acme.owner, ["keys:write", "runs:read"], { expiresInDays: 2 });
    const forever = await makeKey(byToken(daemon, parent.secret), ["runs:read"], { expiresInDays: null });
    const longer = await makeKey(byToken(daemon, parent.secret), ["runs:read"], { expiresInDays: 3000 });
    const shorter = await makeKey(byToken(daemon, parent.secret), ["runs:read"], { expiresInDays: 1 });
    expect(forever.expiresAt).toBe(parent.expiresAt);
    expect(longer.expiresAt).toBe(parent.expiresAt);
    expect(String(shorter.expiresAt) < String(parent.expiresAt)).toBe(true);
  });

  test("a service token outlasts the person who made it, and ends with its own membership", async () => {
    const { daemon, acme } = scene;
    const admin = await accept(daemon, await invite(acme.owner, "admin"), { displayName: "maker" });
    const service = await makeKey(admin, ["runs:read"], { name: "worker", service: { role: "viewer" } });
    const worker = byToken(daemon, service.secret);
    await acme.owner.ask("DELETE", `/api/v1/members/${admin.userId}`);
    expect((await worker.ask("GET", "/api/v1/whoami")).body).toMatchObject({ kind: "service", displayName: "worker" });
    expect((await worker.ask("POST", "/api/v1/sign-in/links", {})).code).toBe("PERMISSION_DENIED");
    await acme.owner.ask("DELETE", `/api/v1/members/${service.userId}`);
    expect((await worker.ask("GET", "/api/v1/whoami")).code).toBe("AUTH_REQUIRED");
  });

  test("whoever has several workspaces works in one with a browser and names others by header", async () => {
    const { acme, rival, both } = scene;
    const where = async (headers: Record<string, string> = {}) =>
      (await both.ask("GET", "/api/v1/whoami", undefined, headers)).body;
    expect(await where()).toMatchObject({ workspaceId: acme.workspaceId, role: "viewer" });
    expect(await where({ "benchtop-workspace": rival.workspaceId })).toMatchObject({ role: "owner" });
    const switched = await both.ask("POST", `/api/v1/workspaces/${rival.workspaceId}/switch`, {});
    expect(switched.body).toMatchObject({ workspaceId: rival.workspaceId, role: "owner" });
    expect(await where()).toMatchObject({ workspaceId: rival.workspaceId });
    const { body } = await both.ask("GET", "/api/v1/workspaces");
    expect((body["items"] as { name: string }[]).map(({ name }) => name)).toEqual(["acme", "rival"]);
    await both.ask("POST", `/api/v1/workspaces/${acme.workspaceId}/switch`, {});
  });

  test("who is removed from their last workspace is signed out everywhere, and cannot come back by a link", async () => {
    const { daemon, acme } = scene;
    const leaver = await accept(daemon, await invite(acme.owner, "viewer"), { displayName: "leaver" });
    const link = await acme.operator.ask("POST", `/api/v1/members/${leaver.userId}/links`, {});
    await acme.owner.ask("DELETE", `/api/v1/members/${leaver.userId}`);
    const back = await nobody(daemon).ask("POST", "/api/v1/sign-in", { token: tokenIn(link.body["url"]) });
    expect(back).toMatchObject({ code: "PERMISSION_DENIED", cookie: undefined });
    expect(back.body).toMatchObject({ error: { message: expect.stringContaining("invitation") as unknown } });
    expect((await leaver.ask("GET", "/api/v1/whoami")).code).toBe("AUTH_REQUIRED");
  });

  test("the operator is in every workspace by header, and lists them all", async () => {
    const { daemon, acme } = scene;
    const operator = byToken(daemon, daemon.token);
    expect((await operator.ask("GET", "/api/v1/whoami")).body).toMatchObject({
      workspaceId: "default",
      operator: true,
    });
    expect((await acme.operator.ask("GET", "/api/v1/whoami")).body).toMatchObject({ workspaceId: acme.workspaceId });
    const { body } = await operator.ask("GET", "/api/v1/workspaces");
    expect((body["items"] as { workspaceId: string }[]).map(({ workspaceId }) => workspaceId)).toContain("default");
    expect((await acme.operator.ask("GET", "/api/v1/whoami", undefined, { "benchtop-workspace": "x" })).code).toBe(
      "PERMISSION_DENIED",
    );
  });

  test("a workspace is deleted with its members, keys and sign-ins; one that holds a workbench stays", async () => {
    const { daemon } = scene;
    const team = await startTeam(daemon, "short-lived");
    const key = byToken(daemon, (await makeKey(team.owner, ["runs:read"])).secret);
    const { body } = await team.operator.ask("POST", "/api/v1/workbenches", { name: "files" });
    const operator = byToken(daemon, daemon.token);
    const path = `/api/v1/workspaces/${team.workspaceId}`;
    expect((await operator.ask("DELETE", path)).code).toBe("VALIDATION_FAILED");
    await team.operator.ask("DELETE", `/api/v1/workbenches/${String(body["workbenchId"])}`);
    const provider = { name: "loop", kind: "openai-chat", baseUrl: "http://127.0.0.1:9", local: true, apiKey: "sk-1" };
    expect((await team.operator.ask("POST", "/api/v1/providers", provider)).code).toBe("ok");
    expect((await operator.ask("DELETE", path)).code).toBe("ok");
    expect((await team.owner.ask("GET", "/api/v1/whoami")).code).toBe("AUTH_REQUIRED");
    expect((await key.ask("GET", "/api/v1/whoami")).code).toBe("AUTH_REQUIRED");
    expect((await operator.ask("DELETE", path)).code).toBe("NOT_FOUND");
  });

  test("what no database keeps as text is refused before one is asked", async () => {
    const { owner } = scene.acme;
    const invite = async (email: string) =>
      (await owner.ask("POST", "/api/v1/invitations", { role: "viewer", email })).code;
    for (const email of ["a\0@example.com", "a@b\0", "a b@example.com", "a@b@c", "a\u001b@b", "@b", "a@"]) {
      expect(await invite(email)).toBe("VALIDATION_FAILED");
    }
    expect(await invite("Zoë+x@Example.com")).toBe("ok");
    for (const path of ["members/%00", "keys/%00", "invitations/a%00", "sign-ins/%00"]) {
      expect((await owner.ask("DELETE", `/api/v1/${path}`)).code).toBe("VALIDATION_FAILED");
    }
    expect((await owner.ask("GET", "/api/v1/audit?userId=%00")).code).toBe("VALIDATION_FAILED");
  });

  test("lists come in pages that miss nobody and show nobody twice", async () => {
    const { daemon } = scene;
    const { owner } = await startTeam(daemon, "pages");
    for (const name of ["a", "b", "a"]) await makeKey(owner, ["runs:read"], { name });
    for (let count = 0; count < 3; count++) {
      await invite(owner, "viewer");
      await accept(daemon, await invite(owner, "viewer"), { displayName: "namesake" });
      await nobody(daemon).ask("POST", "/api/v1/sign-in", {
        token: tokenIn((await owner.ask("POST", "/api/v1/sign-in/links", {})).body["url"]),
      });
    }
    for (const path of ["members", "keys", "invitations", "sign-ins", "audit"]) {
      // When somebody was last seen is written a moment later, and may move them meanwhile.
      await vi.waitFor(async () => {
        const whole = await pages(owner, path, 100);
        expect(whole.length).toBeGreaterThan(2);
        expect(await pages(owner, path, 2)).toEqual(whole);
      });
      for (const cursor of [
        "nonsense",
        encoded([]),
        encoded(["\0"]),
        encoded(["\0", "\0"]),
        encoded([1]),
        encoded({}),
      ]) {
        expect((await owner.ask("GET", `/api/v1/${path}?cursor=${cursor}`)).code).toBe("VALIDATION_FAILED");
      }
    }
  });

  test("the audit tells a workspace what became of it, in the order newest first, and no other workspace", async () => {
    const { daemon, acme } = scene;
    const team = await startTeam(daemon, "audited");
    const { keyId } = await makeKey(team.owner, ["runs:read"], { name: "ci" });
    await team.owner.ask("DELETE", `/api/v1/keys/${keyId}`);
    await team.owner.ask("PATCH", `/api/v1/members/${team.viewer.userId}`, { role: "editor" });
    await team.owner.ask("DELETE", `/api/v1/members/${team.viewer.userId}`);
    const { body } = await team.owner.ask("GET", "/api/v1/audit");
    const items = body["items"] as Record<string, unknown>[];
    expect(items.slice(0, 4)).toMatchObject([
      { event: "member.removed", actorName: "audited owner", subjectName: "audited viewer" },
      { event: "member.role-changed", detail: { from: "viewer", to: "editor" } },
      { event: "key.revoked", subjectId: keyId },
      { event: "key.created", subjectId: keyId, subjectName: "ci" },
    ]);
    expect(items.at(-1)).toMatchObject({ event: "workspace.created", actorId: "owner" });
    expect(items.map(({ address }) => address)).toEqual(items.map(() => "127.0.0.1"));
    const theirs = await acme.owner.ask("GET", "/api/v1/audit");
    expect(JSON.stringify(theirs.body)).not.toContain("audited");
    expect((await team.viewer.ask("GET", "/api/v1/audit")).code).toBe("AUTH_REQUIRED");
    expect((await team.editor.ask("GET", "/api/v1/audit")).code).toBe("PERMISSION_DENIED");
    const ofKey = await team.owner.ask("GET", "/api/v1/audit?event=key.created");
    expect(ofKey.body["items"]).toHaveLength(1);
  });
}

const statusOf = { AUTH_REQUIRED: 401, PERMISSION_DENIED: 403, NOT_FOUND: 404, VALIDATION_FAILED: 400 } as const;

/** All that an attack could have changed. */
async function everything({ daemon, acme, rival }: Scene): Promise<unknown> {
  const operator = byToken(daemon, daemon.token);
  return {
    workspaces: await pages(operator, "workspaces", 1000),
    acme: await holdings(acme.operator),
    rival: await holdings(rival.operator),
    cookies: await Promise.all([acme.owner, acme.viewer, rival.owner].map(signInsOf)),
  };
}

async function holdings(operator: Asker): Promise<unknown> {
  return {
    members: (await pages(operator, "members", 1000)).map((item) => ({ ...item, lastSeenAt: null })),
    keys: (await pages(operator, "keys", 1000)).map((item) => ({ ...item, lastUsedAt: null })),
    invitations: await pages(operator, "invitations", 1000),
  };
}

async function signInsOf(person: Person): Promise<unknown> {
  return (await pages(person, "sign-ins", 1000)).map(({ signInId }) => String(signInId)).toSorted();
}

async function asked(asker: Asker, workspace: string): Promise<unknown> {
  return (await asker.ask("GET", "/api/v1/whoami", undefined, { "benchtop-workspace": workspace })).body;
}

async function names(owner: Asker): Promise<string[]> {
  return (await pages(owner, "members", 1000)).map(({ displayName }) => String(displayName));
}

function encoded(position: unknown): string {
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

async function pages(asker: Asker, path: string, limit: number): Promise<Record<string, unknown>[]> {
  const items: Record<string, unknown>[] = [];
  for (let cursor = ""; ;) {
    const { body } = await asker.ask("GET", `/api/v1/${path}?limit=${limit}${cursor && `&cursor=${cursor}`}`);
    items.push(...(body["items"] as Record<string, unknown>[]));
    if (body["nextCursor"] === null) return items;
    cursor = body["nextCursor"] as string;
  }
}
