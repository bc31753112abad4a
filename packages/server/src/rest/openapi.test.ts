import { operations, type Operation } from "@benchtop/operations";
import { errorRules } from "@benchtop/protocol";
import { createConfig, lintFromString } from "@redocly/openapi-core";
import { expect, test } from "vitest";
import { z } from "zod";
import { startTestDaemon } from "../../test/test-daemon.ts";
import { openApiDocument } from "./openapi.ts";

interface Described {
  readonly operationId: string;
  readonly summary: string;
  readonly security?: unknown[];
  readonly parameters?: { name: string; in: string; required: boolean; schema: object }[];
  readonly requestBody?: { content: Record<string, { schema: { properties?: object } }> };
  readonly responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>;
}
const document = openApiDocument() as {
  openapi: string;
  servers: object[];
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Described>>;
  components: { schemas: Record<string, object>; securitySchemes: Record<string, object> };
};
const all = Object.values(operations) as Operation[];

test("W4 every operation is described once, at its own address", () => {
  const described = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, { operationId }]) => `${method.toUpperCase()} ${path} ${operationId}`),
  );
  expect(described.toSorted()).toEqual(all.map(({ method, path, id }) => `${method} ${path} ${id}`).toSorted());
});

test.each(all.map((operation) => [operation.id, operation] as const))(
  "%s names all its parts, its permission and each of its errors",
  (_, operation) => {
    const described = document.paths[operation.path]?.[operation.method.toLowerCase()];
    expect(described?.summary).toBe(operation.summary);
    const { parameters = [], requestBody, responses } = described as Described;
    const inPath = parameters.filter((parameter) => parameter.in === "path").map(({ name }) => `{${name}}`);
    expect(inPath).toEqual(operation.path.match(/\{\w+\}/g) ?? []);
    const bodySchema = requestBody?.content["application/json"]?.schema;
    const given = [
      ...parameters.filter((parameter) => parameter.in !== "header").map(({ name }) => name),
      ...Object.keys(bodySchema?.properties ?? {}),
    ];
    expect(given.toSorted()).toEqual(Object.keys(operation.input.shape).toSorted());
    expect(Object.keys(responses)).toContain(String(operation.status ?? 200));
    const failures = Object.entries(responses).flatMap(([status, { description }]) =>
      description.split(", ").map((code) => `${status} ${code}`),
    );
    for (const code of operation.errors) expect(failures).toContain(`${errorRules[code].status} ${code}`);
    expect((described as Described).security).toEqual(operation.permission === "public" ? [] : undefined);
  },
);

test("every reference leads to a component", () => {
  const references = JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g);
  for (const [, reference = ""] of references) {
    const name = reference.replace("#/components/schemas/", "");
    expect(Object.keys(document.components.schemas)).toContain(name);
  }
});

test("every component is used, and every capability says what it is", () => {
  const text = JSON.stringify(document);
  for (const name of Object.keys(document.components.schemas)) expect(text).toContain(`#/components/schemas/${name}"`);
  for (const { name, description } of document.tags) {
    expect([name, description]).toEqual([name, expect.not.stringContaining("the program that this daemon")]);
  }
});

test("W4 the document follows every recommended rule of its linter", async () => {
  const config = await createConfig({ extends: ["recommended"] });
  const source = JSON.stringify(document);
  const problems = await lintFromString({ source, absoluteRef: "openapi.json", config });
  expect(problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual([]);
  // It does look: the same document without its servers and with an operation too many of the same name.
  const [path = "", item] = Object.entries(document.paths).at(-1) ?? [];
  const { servers: _, ...rest } = document;
  const wrong = JSON.stringify({ ...rest, paths: { ...document.paths, [`${path}/again`]: item } });
  const found = await lintFromString({ source: wrong, absoluteRef: "openapi.json", config });
  expect(new Set(found.map(({ ruleId }) => ruleId))).toEqual(
    new Set(["no-empty-servers", "operation-operationId-unique"]),
  );
});

test("W4 operations of a program that embeds the daemon are described with its own", async () => {
  const operation: Operation = {
    id: "garden.water",
    rpc: "GardenWater",
    method: "POST",
    path: "/api/v1/garden/{plantId}/water",
    permission: "workbenches:write",
    summary: "Water a plant.",
    input: z.object({ plantId: z.string(), litres: z.number().positive() }),
    output: z.object({ watered: z.boolean() }),
    errors: ["NOT_FOUND"],
  };
  const entry = { operation, handler: () => Promise.resolve({ watered: true }) };
  await using daemon = await startTestDaemon({ extensions: [entry] });
  const served = (await (await daemon.fetch("/openapi.json")).json()) as typeof document;
  expect(served.paths[operation.path]?.["post"]).toMatchObject({ operationId: "garden.water", tags: ["garden"] });
  expect(served.tags.at(-1)).toMatchObject({ name: "garden" });
  const config = await createConfig({ extends: ["recommended"] });
  const options = { source: JSON.stringify(served), absoluteRef: "openapi.json", config };
  expect(await lintFromString(options)).toEqual([]);
});

test("nothing of another dialect is left in it", () => {
  const text = JSON.stringify(document);
  expect(document.openapi).toBe("3.1.0");
  expect(text).not.toMatch(/"\$defs"|"\$schema"|"nullable"|"definitions"/);
});

test("the daemon serves it to anybody on this machine", async () => {
  await using daemon = await startTestDaemon();
  const response = await daemon.fetch("/openapi.json", { token: null });
  expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
  expect(await response.json()).toEqual(JSON.parse(JSON.stringify(document)));
});
