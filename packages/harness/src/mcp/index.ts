export { mcpTools, type McpOptions, type McpToolSource } from "./mcp-tools.ts";
export type { HttpServer, McpTransport, StdioServer } from "./connection.ts";
export type { McpProgress, RejectedTool } from "./server-tool.ts";
