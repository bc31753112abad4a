import type {
  CallToolResult,
  ClientCapabilities,
  CompleteRequestParams,
  GetPromptResult,
  InputRequiredResult,
  Prompt,
  ReadResourceResult,
  Resource,
  ResourceTemplateType,
  ServerContext,
  Tool,
} from "@modelcontextprotocol/server";
import type { Caller } from "../api/caller.ts";

/**
 * One part of what the MCP server offers. Its own parts (operations, agents, files, runs, prompts) are made of this, and so is
 * what a program that embeds the daemon adds (`DaemonOptions.mcp`).
 *
 * `undefined` means "not mine"; the next feature is asked. A failure is thrown: a `BenchtopError`, which the caller is told of
 * in the shape that MCP has for it, or a `ProtocolError` of the SDK.
 */
export interface McpFeature {
  readonly tools?: (request: McpRequest) => readonly Tool[] | Promise<readonly Tool[]>;
  readonly callTool?: (
    name: string,
    args: Record<string, unknown>,
    request: McpRequest,
  ) => Promise<ToolAnswer> | undefined;
  /** One page; `cursor` is what the page before said. */
  readonly resources?: (cursor: string | undefined, request: McpRequest) => Promise<ResourcePage>;
  readonly resourceTemplates?: (request: McpRequest) => readonly ResourceTemplateType[];
  readonly readResource?: (
    uri: string,
    request: McpRequest,
  ) => Promise<ReadResourceResult | InputRequiredResult> | undefined;
  /** Rejects for who may not read it. What it resolves with brings something whenever the resource has changed, until it cannot any more. */
  readonly watchResource?: (uri: string, watch: Watch) => Promise<AsyncIterable<unknown>> | undefined;
  readonly prompts?: (request: McpRequest) => readonly Prompt[];
  readonly getPrompt?: (
    name: string,
    args: Readonly<Record<string, string>>,
    request: McpRequest,
  ) => Promise<GetPromptResult | InputRequiredResult> | undefined;
  /** What an argument of a prompt or of a resource template may be, best first. */
  readonly complete?: (params: CompleteRequestParams, request: McpRequest) => Promise<readonly string[]> | undefined;
}

export type ToolAnswer = CallToolResult | InputRequiredResult;

export interface ResourcePage {
  readonly resources: readonly Resource[];
  readonly nextCursor?: string | undefined;
}

export interface Watch {
  readonly caller: Caller;
  /** Aborts when nobody wants to know any more. */
  readonly signal: AbortSignal;
}

/** One request of a client. */
export interface McpRequest {
  readonly caller: Caller;
  /** What the client said that it can do. */
  readonly capabilities: ClientCapabilities;
  /** Aborts when the client cancels. */
  readonly signal: AbortSignal;
  readonly context: ServerContext;
  /**
   * Signs what a tool wants to find again when the client comes back with a person's answer (`inputRequired`). Good for this
   * caller and ten minutes; read it with `context.mcpReq.requestState()`, which refuses what was not signed here.
   */
  readonly seal: (state: unknown) => Promise<string>;
  /** Tells the client how far a call has come, where it asked to be told. */
  readonly progress: (done: number, message: string, total?: number) => Promise<void>;
  /** True the first time: for what a person agreed to once. */
  readonly once: (nonce: string) => boolean;
}
