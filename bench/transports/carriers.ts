import { connect as connectHttp2 } from "node:http2";
import { once } from "node:events";
import { WebSocket } from "ws";
import { overHttp, type Contender } from "./contenders.ts";
import type { ServerProcess } from "./servers.ts";

const call = (id: number): string => JSON.stringify({ jsonrpc: "2.0", id, method: "IdentityWhoami", params: {} });

export const jsonRpc: Contender = overHttp("JSON-RPC, POST", { path: "/rpc", body: call(1) });

export const connectJson: Contender = overHttp("Connect, JSON over HTTP/1.1", {
  path: "/benchtop.v1.IdentityService/IdentityWhoami",
  body: "{}",
});

/** All calls on one connection, told apart by their ids. */
export const jsonRpcOverWebSocket: Contender = {
  name: "JSON-RPC, one WebSocket",
  async open({ url, token }) {
    const socket = new WebSocket(`${url.replace("http", "ws")}/rpc`, {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
    });
    await once(socket, "open");
    const waiting = new Map<number, (text: string) => void>();
    socket.on("message", (data: Buffer) => {
      const text = data.toString();
      const { id } = JSON.parse(text) as { id: number };
      waiting.get(id)?.(text);
      waiting.delete(id);
    });
    let last = 0;
    return {
      async ask() {
        const id = (last += 1);
        const text = await new Promise<string>((resolve) => {
          waiting.set(id, resolve);
          socket.send(call(id));
        });
        if (!text.includes("owner")) throw new Error(`JSON-RPC: ${text.slice(0, 200)}`);
      },
      async close() {
        socket.close();
        await once(socket, "close");
      },
    };
  },
};

/** gRPC as it is on the wire, all calls on one HTTP/2 connection: the client's own libraries are not what is measured. */
export const grpc: Contender = {
  name: "gRPC, one HTTP/2 connection",
  async open({ url, token }) {
    const session = connectHttp2(url);
    await once(session, "connect");
    const headers = {
      ":method": "POST",
      ":path": "/benchtop.v1.IdentityService/IdentityWhoami",
      "content-type": "application/grpc",
      te: "trailers",
      authorization: `Bearer ${token}`,
    };
    // A message of no bytes: not compressed, length 0.
    const empty = Buffer.alloc(5);
    return {
      async ask() {
        const stream = session.request(headers);
        const chunks: Buffer[] = [];
        stream.on("data", (chunk: Buffer) => chunks.push(chunk));
        stream.end(empty);
        await once(stream, "end");
        if (!Buffer.concat(chunks).includes("owner")) throw new Error("gRPC: not the right answer");
      },
      async close() {
        session.close();
        await once(session, "close");
      },
    };
  },
};

export const mcp: Contender = {
  name: "MCP, streamable HTTP",
  async open(server) {
    const headers = {
      authorization: `Bearer ${server.token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2025-11-25",
    };
    const clientInfo = { name: "bench", version: "1" };
    const session = await post(server, headers, {
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo },
    });
    const own = { ...headers, ...(session !== null && { "mcp-session-id": session }) };
    await post(server, own, { jsonrpc: "2.0", method: "notifications/initialized" });
    const body = { jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "identity_whoami", arguments: {} } };
    return await overHttp("MCP", { path: "/mcp", body: JSON.stringify(body), headers: own }).open(server);
  },
};

async function post({ url }: ServerProcess, headers: Record<string, string>, body: object): Promise<string | null> {
  const response = await fetch(`${url}/mcp`, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`MCP: ${response.status} ${await response.text()}`);
  await response.body?.cancel();
  return response.headers.get("mcp-session-id");
}
