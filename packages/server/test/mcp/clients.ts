import { Client, StreamableHTTPClientTransport, type ClientCapabilities } from "@modelcontextprotocol/client";
import { Client as ClassicClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as ClassicTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import type { TestDaemon } from "../test-daemon.ts";

/** What a person at the client says to a question. */
export interface PersonAnswer {
  readonly action: "accept" | "decline" | "cancel";
  readonly content?: Record<string, string | number | boolean | string[]>;
}

export interface ClientOptions {
  readonly token?: string;
  readonly workspace?: string;
  /** Absent: the client cannot ask anybody. */
  readonly person?: (message: string) => PersonAnswer | Promise<PersonAnswer>;
  readonly capabilities?: ClientCapabilities;
}

/** What both official clients have in common, as far as the tests need it. */
export interface McpClient extends AsyncDisposable {
  readonly kind: string;
  readonly client: Client;
}

export const kinds = ["MCP 2026-07-28", "MCP 2025-11-25", "the classic client"] as const;
export type Kind = (typeof kinds)[number];

/** An official client that is connected to a daemon over HTTP. */
export async function connect(kind: Kind, daemon: TestDaemon, options: ClientOptions = {}): Promise<McpClient> {
  const url = new URL(`${daemon.url}/mcp`);
  const headers = headersOf(daemon, options);
  const capabilities = options.capabilities ?? (options.person ? { elicitation: { form: {} } } : {});
  if (kind === "the classic client") {
    const classic = new ClassicClient({ name: "test", version: "1" }, { capabilities });
    const { person } = options;
    if (person)
      classic.setRequestHandler(ElicitRequestSchema, async ({ params }) => ({ ...(await person(params.message)) }));
    await classic.connect(new ClassicTransport(url, { requestInit: { headers } }));
    // The methods that the tests use are the same.
    return { kind, client: classic as unknown as Client, [Symbol.asyncDispose]: () => classic.close() };
  }
  const mode = kind === "MCP 2026-07-28" ? { pin: "2026-07-28" as const } : ("legacy" as const);
  const client = new Client({ name: "test", version: "1" }, { capabilities, versionNegotiation: { mode } });
  const { person } = options;
  if (person)
    client.setRequestHandler("elicitation/create", async ({ params }) => ({ ...(await person(params.message)) }));
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }));
  return { kind, client, [Symbol.asyncDispose]: () => client.close() };
}

export function headersOf(
  daemon: TestDaemon,
  { token = daemon.token, workspace }: ClientOptions,
): Record<string, string> {
  return { authorization: `Bearer ${token}`, ...(workspace !== undefined && { "benchtop-workspace": workspace }) };
}

export interface ToolOutcome {
  readonly isError?: boolean;
  readonly content: readonly { readonly type: string; readonly text?: string }[];
  readonly structuredContent?: Record<string, unknown>;
  readonly _meta?: Record<string, unknown>;
}

/** Calls a tool; a failure is answered, not thrown. */
export async function call(
  { client }: McpClient,
  name: string,
  args: Record<string, unknown> = {},
  options: Parameters<Client["callTool"]>[1] = {},
): Promise<ToolOutcome> {
  const params = { name, arguments: args };
  const classic: unknown = client;
  const answer =
    classic instanceof ClassicClient
      ? await classic.callTool(params, undefined, options)
      : await client.callTool(params, options);
  return answer as unknown as ToolOutcome;
}

/** The `ErrorInfo` of a failure. */
export function failureIn({ isError, _meta }: ToolOutcome): Record<string, unknown> | undefined {
  return isError === true ? (_meta?.["benchtop/error"] as Record<string, unknown>) : undefined;
}
