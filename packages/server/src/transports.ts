import type { CallParts } from "./api/call-operation.ts";
import type { Registry } from "./api/registry.ts";
import type { ConsoleFiles } from "./console/console-files.ts";
import { grpcMount } from "./grpc/grpc.ts";
import type { BodyLimits } from "./http/body.ts";
import { listen, type HttpServer, type ListenOptions } from "./http/listen.ts";
import { serveRequest, type HttpParts } from "./http/serve-request.ts";
import { rpcMount } from "./json-rpc/post.ts";
import { defaultSocketLimits, RpcSockets, type SocketLimits } from "./json-rpc/sockets.ts";
import type { McpFeature } from "./mcp/feature.ts";
import { createMcpMount } from "./mcp/mount.ts";
import { ollamaMounts } from "./ollama/mounts.ts";
import { Routes } from "./rest/routes.ts";

export interface TransportOptions {
  readonly registry: Registry;
  /** What carries every call out, whichever way it comes. */
  readonly calls: CallParts;
  readonly console: ConsoleFiles;
  readonly limits: BodyLimits;
  readonly socketLimits: Partial<SocketLimits>;
  readonly mcpFeatures: readonly McpFeature[];
  readonly listening: ListenOptions;
  /** Whether the daemon can take work, for the health check of gRPC. */
  readonly isReady: () => Promise<boolean>;
}

export interface Transports {
  readonly http: HttpServer;
  /** Takes no new connection and no new call. */
  stop(): void;
  /** Ends every connection, what is on its way first. */
  close(): Promise<void>;
}

/** Every way to the operations, on one port: REST, JSON-RPC, gRPC, MCP, Ollama's protocol, and the console beside them. */
export async function openTransports(options: TransportOptions): Promise<Transports> {
  const { registry, calls, limits, listening } = options;
  const stopping = new AbortController();
  const parts = { ...calls, registry, limits, addresses: () => http.addresses };
  const rpc = { ...parts, socketLimits: { ...defaultSocketLimits, ...options.socketLimits } };
  const mcp = createMcpMount({ ...parts, features: options.mcpFeatures });
  const served: HttpParts = {
    ...parts,
    routes: new Routes(registry.entries),
    mounts: new Map([["/rpc", rpcMount(rpc)], ["/mcp", mcp.mount], ...ollamaMounts(parts)]),
    grpc: grpcMount({ ...parts, isReady: options.isReady, stoppingSignal: stopping.signal }),
    console: options.console,
    // Loaded when somebody asks: most daemons are never asked.
    openApi: async () => (await import("./rest/openapi.ts")).openApiText(registry.entries),
  };
  const http = await listen(listening, (request, response) => {
    void serveRequest(served, request, response);
  });
  const sockets = new RpcSockets(rpc);
  http.server.on("upgrade", (request, socket, head) => void sockets.upgrade(request, socket, head));
  return {
    http,
    stop() {
      stopping.abort();
      http.stop();
    },
    async close() {
      await mcp.close();
      await sockets.close();
      await http.close();
    },
  };
}
