import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient } from "@benchtop/client";
import type { RunEvent } from "@benchtop/protocol";
import { startTestDaemon, type TestDaemon } from "../../test/test-daemon.ts";

/** What a person wrote, and what is in their files. None of it may be in a report or in an event that tells of a failure. */
const prompt = "PLANTED-PROMPT merger of Alder and Birch on the ninth";
const content = "PLANTED-FILE the salary of everybody is confidential\n";
const secret = "sk-PLANTED-KEY-0a1b2c3d4e5f";
const planted = ["PLANTED", "Alder and Birch", "salary of everybody", "0a1b2c3d4e5f"];

let daemon: TestDaemon;
let provider: Server;
/** How the provider fails: with everything that it was sent. */
let status = 500;
beforeAll(async () => {
  provider = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      const echo = `You sent ${body} with ${String(request.headers.authorization)}`;
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: { message: echo, type: "server_error", code: echo } }));
    });
  });
  await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve));
  daemon = await startTestDaemon({ config: { reliability: { retry: { maxAttempts: 1 } } } });
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await new Promise((resolve) => provider.close(resolve));
});

describe("S11 what goes wrong is kept without content", () => {
  test("for runs whose provider repeats all that it was sent, whose consent is missing, and whose files cannot be read", async () => {
    const client = createClient({ url: daemon.url, token: daemon.token });
    const baseUrl = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/v1`;
    await client.call("providers.add", { name: "echo", kind: "openai-chat", baseUrl, local: true, apiKey: secret });
    await client.call("providers.add", { name: "far", kind: "openai-chat", baseUrl: "https://far.example/v1" });
    const { workbenchId } = await client.call("workbenches.create", { name: "books" });
    const { sha256 } = await client.upload(new TextEncoder().encode(content));
    await client.call("files.add", { workbenchId, uploads: [{ path: "pay.txt", sha256 }] });

    const failures: RunEvent[] = [];
    const end = async (runId: string) => {
      for await (const event of client.follow(runId)) if (event.type === "Error") failures.push(event);
    };
    for (const code of [500, 400, 401, 404, 413, 429, 503]) {
      status = code;
      const { runId } = await client.call("workshop.sendUserMessage", {
        workbenchId,
        model: "echo/m",
        message: prompt,
      });
      await end(runId);
    }
    for (const model of ["far/m"]) {
      await end((await client.call("workshop.runAgent", { workbenchId, model, task: prompt })).runId);
      await end((await client.call("runs.start", { model, prompt })).runId);
    }
    await rm(join(daemon.home, "blobs", sha256.slice(0, 2), sha256));
    await end((await client.call("workshop.sendUserMessage", { workbenchId, model: "echo/m", message: prompt })).runId);

    const codes = failures.map((event) => (event.type === "Error" ? event.error.error_code : ""));
    expect(new Set(codes)).toEqual(
      new Set([
        "PROVIDER_UNAVAILABLE",
        "VALIDATION_FAILED",
        "PROVIDER_AUTH_FAILED",
        "PROVIDER_NOT_CONFIGURED",
        "CONTEXT_EXHAUSTED",
        "PROVIDER_RATE_LIMITED",
        "EGRESS_CONSENT_REQUIRED",
        "FILE_READ_FAILED",
      ]),
    );
    const { items } = await client.call("failures.list", { limit: 100 });
    expect(items).toHaveLength(failures.length);
    const told = `${JSON.stringify(items)}${JSON.stringify(failures)}`;
    for (const text of planted) expect(told).not.toContain(text);
    for (const event of failures) {
      const ref = event.type === "Error" ? event.error.detail_ref : undefined;
      const report = await client.call("failures.get", { failureId: ref ?? "" });
      expect(report).toMatchObject({ runId: event.runId, errorCode: event.type === "Error" && event.error.error_code });
      expect(report.lastEvents[0]).toMatchObject({ type: "RunStarted" });
      for (const last of report.lastEvents) expect(Object.keys(last).toSorted()).toEqual(["at", "type"]);
    }
  });

  test("for operations that fail by no fault of the caller's, and not for what a caller got wrong", async () => {
    const client = createClient({ url: daemon.url, token: daemon.token });
    const before = (await client.call("failures.list", {})).items.length;
    const { workbenchId } = await client.call("workbenches.create", { name: "damaged" });
    const { sha256 } = await client.upload(new TextEncoder().encode(`${content}${content}`));
    await client.call("files.add", { workbenchId, uploads: [{ path: "pay.txt", sha256 }] });
    await rm(join(daemon.home, "blobs", sha256.slice(0, 2), sha256));
    const failed = await client
      .call("workshop.context", { workbenchId, model: "nobody/m" })
      .catch((thrown: unknown) => thrown);
    expect(failed).toMatchObject({ code: "PROVIDER_NOT_CONFIGURED" });
    const read = client.download({ workbenchId, path: "pay.txt" }).then((file) => file.arrayBuffer());
    await expect(read).rejects.toMatchObject({ code: "FILE_READ_FAILED" });
    const { items } = await client.call("failures.list", {});
    expect(items.slice(0, items.length - before)).toMatchObject([
      { errorCode: "FILE_READ_FAILED", operation: "files.read" },
    ]);
    await expect(client.call("failures.get", { failureId: "fail_0" })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
