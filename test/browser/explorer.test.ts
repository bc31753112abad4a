import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { controlOf } from "../../apps/console/src/api-explorer/control.ts";
import { readDocument } from "../../apps/console/src/api-explorer/document.ts";
import { requestOf } from "../../apps/console/src/api-explorer/request.ts";
import { operations, type Operation } from "../../packages/operations/src/index.ts";
import { openApiDocument } from "../../packages/server/src/rest/openapi.ts";
import { Bench, hasBrowser } from "./bench.ts";

test("P1.4 the explorer reads every operation out of the document, with the fields, permission and way of its definition", () => {
  const { operations: read, schemas } = readDocument(openApiDocument());
  const definitions = Object.values(operations) as Operation[];
  expect(read.map(({ id }) => id).sort()).toEqual(definitions.map(({ id }) => id).sort());
  for (const operation of read) {
    const definition: Operation = operations[operation.id as keyof typeof operations];
    expect(operation).toMatchObject({
      method: definition.method,
      permission: definition.permission,
      rpc: definition.rpc,
      transfer: definition.transfer ?? "json",
    });
    expect(operation.fields.map(({ name }) => name).sort()).toEqual(Object.keys(definition.input.shape).sort());
    for (const { schema } of operation.fields) expect(controlOf(schema, schemas).kind).toBeTruthy();
    const filled = Object.fromEntries(operation.fields.map(({ name }) => [name, "x"]));
    expect(requestOf(operation, filled).address).not.toContain("{");
  }
});

/** The API, tried out in the console. */
describe.skipIf(!hasBrowser)("the API explorer in a browser (needs /usr/bin/chromium)", () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.start();
    await bench.addLocalProvider();
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  test("P1.4 an operation is found, filled in and carried out, and its call is copied", async () => {
    await using page = await bench.browser();
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await bench.signIn(page);
    await page.getByRole("link", { name: "API", exact: true }).click();
    await page.getByLabel("Find an operation").fill("create workbench");
    await page.getByRole("link", { name: "POST workbenches.create" }).click();
    expect(page.url()).toBe(`${bench.url}/api?operation=workbenches.create`);
    await page.reload();
    const send = page.getByRole("button", { name: "POST workbenches.create" });
    expect(await send.getAttribute("aria-disabled")).toBe("true");
    await page.getByLabel(/^name/).fill("From the explorer");
    // A change is made by its button alone.
    await page.keyboard.press("Enter");
    await page.waitForLoadState("networkidle");
    expect((await bench.client.call("workbenches.list", {})).items).toEqual([]);
    await send.click();
    const response = page.getByRole("region", { name: "Response" });
    await response.getByText("201").waitFor();
    await response.getByText("x-request-id").waitFor();
    await response.getByText(`"From the explorer"`).waitFor();
    expect((await bench.client.call("workbenches.list", {})).items).toMatchObject([{ name: "From the explorer" }]);

    const code = page.getByRole("region", { name: "As code" });
    await code.getByRole("button", { name: "JSON-RPC" }).click();
    await code.getByRole("button", { name: "Copy", exact: true }).click();
    await code.getByText("Copied").waitFor();
    expect(JSON.parse(String(await page.evaluate("navigator.clipboard.readText()")))).toEqual({
      jsonrpc: "2.0",
      id: 1,
      method: operations["workbenches.create"].rpc,
      params: { name: "From the explorer" },
    });
  });

  test("P1.4 what the daemon refuses is shown as it says it", async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.goto(`${bench.url}/api?operation=runs.get`);
    await page.getByLabel(/^runId/).fill("run_nothing");
    await page.getByRole("button", { name: "Send" }).click();
    const response = page.getByRole("region", { name: "Response" });
    await response.getByText("404").waitFor();
    await response.getByText(`"NOT_FOUND"`).waitFor();
    expect(page.url()).toBe(`${bench.url}/api?operation=runs.get`);
  });

  test("H8 a run is followed live, and let go", async () => {
    const { runId } = await bench.client.call("runs.start", { model: "local/hesitant", prompt: "take your time" });
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.goto(`${bench.url}/api?operation=runs.events`);
    await page.getByLabel(/^runId/).fill(runId);
    await page.getByRole("button", { name: "Follow" }).click();
    const response = page.getByRole("region", { name: "Response" });
    await response.getByText("Live").waitFor();
    await response
      .getByRole("button", { name: /ProviderCallStarted/ })
      .first()
      .waitFor();
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    await response.getByText("Stopped").waitFor();
    await response
      .getByRole("button", { name: /ProviderCallStarted/ })
      .first()
      .click();
    await response
      .getByRole("region", { name: /^Event \d/ })
      .getByText(`"${runId}"`)
      .first()
      .waitFor();
    await bench.client.call("runs.abort", { runId });
    // To its end, this time.
    await page.getByRole("button", { name: "Follow" }).click();
    await response.getByText("Ended").waitFor();
    expect((await bench.client.call("runs.get", { runId })).status).toBe("error");
  });

  test("P1.4 what a role may not do can be read, not sent", async () => {
    await using page = await bench.browser();
    await bench.join(page, "Alan Turing", "viewer");
    await page.goto(`${bench.url}/api?operation=workbenches.create`);
    await page.getByText("workbenches:write, not yours").waitFor();
    await page.getByLabel(/^name/).fill("Nothing");
    await page.getByText("Your role here, viewer, may not change workbenches").first().waitFor();
    await page.getByRole("button", { name: "POST workbenches.create" }).click({ force: true });
    await page.waitForLoadState("networkidle");
    await page.getByText("Nothing was sent yet.").waitFor();
    const { items } = await bench.client.call("workbenches.list", {});
    expect(items.map(({ name }) => name)).not.toContain("Nothing");
  });

  test("P1.4 the explorer breaks no rule of the content security policy", () => {
    expect(bench.complaints).toEqual([]);
    expect(bench.strayRequests).toEqual([]);
  });
});
