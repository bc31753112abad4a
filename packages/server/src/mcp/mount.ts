import type { Mount } from "../http/serve-request.ts";
import type { EndpointParts, McpEndpoint } from "./http/endpoint.ts";

/** MCP at one path of the daemon. What it is made of is loaded when somebody asks for it: most daemons are never asked. */
export function createMcpMount(parts: EndpointParts): { readonly mount: Mount; close(): Promise<void> } {
  let endpoint: Promise<McpEndpoint> | undefined;
  const open = async (): Promise<McpEndpoint> => {
    const { McpEndpoint } = await import("./http/endpoint.ts");
    return new McpEndpoint(parts);
  };
  return {
    mount: async (request, response) => (await (endpoint ??= open())).serve(request, response),
    close: async () => (await endpoint)?.close(),
  };
}
