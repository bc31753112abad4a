import { expect, test } from "vitest";
import { errorOf, json, startTestDaemon } from "../../test/test-daemon.ts";

test("S8 an admin of a workspace cannot point a provider at the daemon's own loopback; its operator can", async () => {
  await using daemon = await startTestDaemon();
  const { url } = (await (await daemon.fetch("/api/v1/invitations", json({ role: "admin" }))).json()) as {
    url: string;
  };
  const token = new URL(url).hash.slice("#invitation=".length);
  const accepted = await daemon.fetch("/api/v1/invitations/accept", {
    ...json({ token, displayName: "Admin" }),
    token: null,
  });
  const cookie = accepted.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const headers = { cookie, origin: daemon.url };
  const local = { name: "inside", kind: "openai-chat", baseUrl: "http://127.0.0.1:5432/v1", local: true };

  for (const body of [local, { ...local, local: undefined, baseUrl: undefined, preset: "ollama" }]) {
    const refused = await daemon.fetch("/api/v1/providers", { ...json(body, headers), token: null });
    expect(refused.status).toBe(403);
    expect(await errorOf(refused)).toMatchObject({
      error_code: "PERMISSION_DENIED",
      detail: { permission: "host:files" },
    });
  }
  const elsewhere = { name: "outside", kind: "openai-chat", baseUrl: "https://models.example/v1" };
  expect((await daemon.fetch("/api/v1/providers", { ...json(elsewhere, headers), token: null })).status).toBe(201);
  expect((await daemon.fetch("/api/v1/providers", json(local))).status).toBe(201);
});
