import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, connect, failureIn, kinds } from "../../../test/mcp/clients.ts";
import { budget, furnish, type Furnished } from "../../../test/mcp/furnish.ts";

let furnished: Furnished;
beforeAll(async () => {
  furnished = await furnish();
});
afterAll(() => furnished[Symbol.asyncDispose]());

async function runsOf(workbenchId: string): Promise<{ runId: string; status: string; errorCode: string | null }[]> {
  const { items } = await furnished.ask("GET", `/api/v1/runs?workbenchId=${workbenchId}`);
  return items as { runId: string; status: string; errorCode: string | null }[];
}

describe.each(kinds)("with %s", (kind) => {
  test("an agent works in the Draft while its client is told of the steps, the tool calls and the tokens", async () => {
    const workbenchId = await furnished.workbench(`agent ${kind}`, budget);
    await using mcp = await connect(kind, furnished.daemon);
    const told: { progress: number; message?: string }[] = [];
    const outcome = await call(
      mcp,
      "workshop_run_agent",
      { workbenchId, model: "loop/gpt-5.2", task: "make the totals consistent and add a summary.md" },
      { onprogress: (progress) => told.push(progress as { progress: number; message?: string }) },
    );
    expect(outcome.structuredContent).toMatchObject({
      status: "success",
      draft: { exists: true, added: 1, modified: 1, deleted: 0 },
      next: expect.stringContaining("Nothing is published") as unknown,
    });
    const messages = told.map(({ message }) => message);
    expect(messages).toContainEqual(expect.stringMatching(/^Step \d+$/));
    expect(messages).toContainEqual(expect.stringMatching(/calls \w+/));
    expect(messages).toContainEqual(expect.stringMatching(/tokens read/));
    const numbers = told.map(({ progress }) => progress);
    expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
    expect(await furnished.ask("GET", `/api/v1/workbenches/${workbenchId}/draft`)).toMatchObject({ exists: true });
    expect(await furnished.ask("GET", `/api/v1/workbenches/${workbenchId}`)).toMatchObject({ fileCount: 2 });
  });

  test("canceling the call stops the run and the request to the model", async () => {
    const workbenchId = await furnished.workbench(`cancel ${kind}`, budget);
    await using mcp = await connect(kind, furnished.daemon);
    const canceling = new AbortController();
    const calling = call(
      mcp,
      "workshop_run_agent",
      { workbenchId, model: "loop/slow", task: "say a lot, slowly" },
      {
        signal: canceling.signal,
        onprogress: ({ message }) => message?.includes("characters") && canceling.abort("enough"),
      },
    );
    await expect(calling).rejects.toThrow("enough");
    await expect.poll(() => runsOf(workbenchId), { timeout: 10_000 }).toMatchObject([{ errorCode: "USER_CANCELED" }]);
    await expect.poll(() => furnished.models.requests.at(-1)?.outcome).toBe("canceled");
  });

  test("S7 without consent nothing is sent, and the person is told what they have to do", async () => {
    const workbenchId = await furnished.workbench(`far ${kind}`, budget);
    await using mcp = await connect(kind, furnished.daemon);
    const outcome = await call(mcp, "workshop_run_agent", { workbenchId, model: "far/m", task: "read" });
    expect(failureIn(outcome)).toMatchObject({
      error_code: "EGRESS_CONSENT_REQUIRED",
      actions: ["grant_consent", "switch_model"],
      provider_id: "far",
    });
    expect(outcome.content[0]?.text).toContain("benchtop ask");
    const { items } = await furnished.ask("GET", `/api/v1/egress/events?workbenchId=${workbenchId}`);
    expect((items as { outcome: string }[]).filter((event) => event.outcome === "sent")).toEqual([]);
  });
});

test("a run that asks a person waits for them, and what the model at the client decides they have to confirm", async () => {
  const folder = await mkdtemp(join(tmpdir(), "benchtop-approval-"));
  const home = join(folder, "home");
  await mkdir(home, { mode: 0o700 });
  const gates = [{ policy: "approval", mode: "enforcing", options: { tools: [{ tool: "delete_file" }] } }];
  await writeFile(join(home, "config.json"), JSON.stringify({ gates }));
  {
    await using careful = await furnish({ home });
    const workbenchId = await careful.workbench("careful", budget);
    const shown: string[] = [];
    await using mcp = await connect("MCP 2026-07-28", careful.daemon, {
      person(message) {
        shown.push(message);
        return { action: "accept", content: { confirm: true } };
      },
    });
    const args = { workbenchId, model: "loop/gpt-5.2", task: "delete notes.md" };
    const outcome = await call(mcp, "workshop_run_agent", args);
    expect(outcome.structuredContent).toMatchObject({ status: "waiting", draft: { exists: false } });
    const runId = String(outcome.structuredContent?.["runId"]);
    await using mute = await connect("MCP 2026-07-28", careful.daemon);
    expect(failureIn(await call(mute, "runs_resume", { runId, decision: "approve" }))).toMatchObject({
      error_code: "PERMISSION_DENIED",
      detail: { instead: `benchtop runs resume ${runId} --approve|--deny` },
    });
    await call(mcp, "runs_resume", { runId, decision: "approve" });
    expect(shown).toHaveLength(1);
    expect(shown[0]).toContain("Decide “approve”");
    expect(shown[0]).toContain('delete_file {"path":"notes.md"}');
    await (await careful.daemon.fetch(`/api/v1/runs/${runId}/events`)).text();
    expect(await careful.ask("GET", `/api/v1/workbenches/${workbenchId}/draft`)).toMatchObject({
      unconfirmedDeletions: ["notes.md"],
    });
  }
  await rm(folder, { recursive: true, force: true });
});

test("a run that is not waited for is answered at once, and goes on when the client leaves", async () => {
  const workbenchId = await furnished.workbench("later", budget);
  const mcp = await connect("MCP 2025-11-25", furnished.daemon);
  const args = { workbenchId, model: "loop/gpt-5.2", task: "make the totals consistent", wait: false };
  const outcome = await call(mcp, "workshop_run_agent", args);
  expect(outcome.structuredContent).toMatchObject({ status: "pending" });
  await mcp[Symbol.asyncDispose]();
  await expect.poll(() => runsOf(workbenchId), { timeout: 10_000 }).toMatchObject([{ status: "success" }]);
});

test("a run that fails is an error with what the model's provider said of it", async () => {
  const workbenchId = await furnished.workbench("unknown model", budget);
  await using mcp = await connect("MCP 2026-07-28", furnished.daemon);
  const outcome = await call(mcp, "workshop_run_agent", { workbenchId, model: "loop/no-such-model", task: "read" });
  expect(failureIn(outcome)).toMatchObject({ run_id: expect.stringMatching(/^run_/) as unknown });
  const wrong = await call(mcp, "workshop_run_agent", { workbenchId, model: "nowhere/m", task: "read" });
  expect(failureIn(wrong)).toMatchObject({ error_code: "PROVIDER_NOT_CONFIGURED" });
});
