import { operations, type Operation } from "@benchtop/operations";
import { errorRules } from "@benchtop/protocol";
import { expect, test } from "vitest";
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
