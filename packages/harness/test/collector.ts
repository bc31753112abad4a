import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { z } from "zod";

/** What a request to the collector brought, once it was found to be right. */
export type ReceivedSpan = z.infer<typeof Span> & { readonly resource: Readonly<Record<string, unknown>> };

export interface Collector {
  readonly url: string;
  readonly spans: ReceivedSpan[];
  readonly requests: { readonly path: string; readonly headers: IncomingMessage["headers"] }[];
  /** What is wrong with what came, by the rules of OTLP in JSON. */
  readonly problems: string[];
  /** How the next requests are answered, one after the other; then with 200. */
  readonly answers: ((response: ServerResponse) => void)[];
  close(): Promise<void>;
}

/** An OTLP collector on loopback that checks every payload against the JSON mapping of the protocol. */
export async function startCollector(): Promise<Collector> {
  const collector: Pick<Collector, "spans" | "requests" | "problems" | "answers"> = {
    spans: [],
    requests: [],
    problems: [],
    answers: [],
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      collector.requests.push({ path: request.url ?? "", headers: request.headers });
      const answer = collector.answers.shift();
      if (answer) return answer(response);
      receive(collector, Buffer.concat(chunks).toString("utf8"));
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    ...collector,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

export const status =
  (code: number, headers: Record<string, string> = {}, body = "") =>
  (response: ServerResponse): void =>
    void response.writeHead(code, headers).end(body);

const integer = z.string().regex(/^-?\d+$/);
const Value: z.ZodType = z.lazy(() =>
  z.union([
    z.strictObject({ stringValue: z.string() }),
    z.strictObject({ boolValue: z.boolean() }),
    z.strictObject({ intValue: integer }),
    z.strictObject({ doubleValue: z.number() }),
    z.strictObject({ arrayValue: z.strictObject({ values: z.array(Value) }) }),
  ]),
);
const Attributes = z.array(z.strictObject({ key: z.string().min(1), value: Value }));
const hexadecimal = (bytes: number) =>
  z.string().refine((text) => new RegExp(`^[0-9a-f]{${bytes * 2}}$`).test(text) && !/^0+$/.test(text));

const Span = z.strictObject({
  traceId: hexadecimal(16),
  spanId: hexadecimal(8),
  parentSpanId: hexadecimal(8).optional(),
  name: z.string().min(1),
  kind: z.int().min(1).max(5),
  startTimeUnixNano: integer,
  endTimeUnixNano: integer,
  attributes: Attributes.transform(plain),
  events: z.array(
    z.strictObject({ timeUnixNano: integer, name: z.string().min(1), attributes: Attributes.transform(plain) }),
  ),
  droppedEventsCount: z.int().nonnegative().optional(),
  status: z.strictObject({ code: z.int().min(0).max(2).optional(), message: z.string().optional() }),
});

const Payload = z.strictObject({
  resourceSpans: z.array(
    z.strictObject({
      resource: z.strictObject({ attributes: Attributes.transform(plain) }),
      scopeSpans: z.array(z.strictObject({ scope: z.strictObject({ name: z.string() }), spans: z.array(Span) })),
    }),
  ),
});

function receive(collector: Pick<Collector, "spans" | "problems">, body: string): void {
  const parsed = Payload.safeParse(JSON.parse(body));
  if (!parsed.success) {
    collector.problems.push(z.prettifyError(parsed.error));
    return;
  }
  for (const { resource, scopeSpans } of parsed.data.resourceSpans) {
    for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
      if (BigInt(span.endTimeUnixNano) < BigInt(span.startTimeUnixNano))
        collector.problems.push("ends before it starts");
      collector.spans.push({ ...span, resource: resource.attributes });
    }
  }
}

/** Attributes as a plain object; integers as numbers. A key may be there once. */
function plain(attributes: readonly { key: string; value: unknown }[]): Record<string, unknown> {
  const keys = attributes.map(({ key }) => key);
  if (new Set(keys).size !== keys.length) throw new Error(`An attribute is there twice: ${keys.join(", ")}`);
  return Object.fromEntries(attributes.map(({ key, value }) => [key, plainValue(value)]));
}

function plainValue(value: unknown): unknown {
  const [[kind, content] = ["", undefined]] = Object.entries(value as object) as [string, unknown][];
  if (kind === "intValue") return Number(content);
  if (kind === "arrayValue") return (content as { values: unknown[] }).values.map(plainValue);
  return content;
}
