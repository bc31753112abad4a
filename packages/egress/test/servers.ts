import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener, type Server as HttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { connect, createServer as createTcpServer, type AddressInfo, type Server, type Socket } from "node:net";

export interface TestServer {
  readonly port: number;
  /** Connections ever accepted. */
  readonly connections: () => number;
  close(): Promise<void>;
}

export async function httpServer(listener: RequestListener): Promise<TestServer> {
  return listen(createHttpServer(listener));
}

export async function httpsServer(
  identity: { key: string; cert: string },
  listener: RequestListener,
): Promise<TestServer> {
  return listen(createHttpsServer(identity, listener));
}

/** Accepts anything, answers nothing, and keeps every byte. */
export async function capturingServer(): Promise<TestServer & { received(): number }> {
  let received = 0;
  const server = createTcpServer((socket) => socket.on("data", (chunk) => (received += chunk.byteLength)));
  return { ...(await listen(server)), received: () => received };
}

/** A CONNECT proxy that leads every tunnel to one port of this machine, once `ready`, and remembers what it was asked for. */
export async function connectProxy(
  toPort: number,
  { status = 200, ready = Promise.resolve() }: { status?: number; ready?: Promise<void> } = {},
): Promise<TestServer & { asked: string[]; headers: string[] }> {
  const asked: string[] = [];
  const headers: string[] = [];
  const server: HttpServer = createHttpServer();
  server.on("connect", (request, client: Socket, head) => {
    asked.push(request.url ?? "");
    headers.push(request.headers["proxy-authorization"] ?? "");
    if (status !== 200) {
      client.end(`HTTP/1.1 ${status} No\r\n\r\n`);
      return;
    }
    const upstream = connect(toPort, "127.0.0.1", () => {
      void ready.then(() => {
        client.write("HTTP/1.1 200 OK\r\n\r\n");
        upstream.write(head);
        return upstream.pipe(client).pipe(upstream);
      });
    });
    const drop = () => {
      upstream.destroy();
      client.destroy();
    };
    upstream.on("error", drop);
    client.on("error", drop);
  });
  return { ...(await listen(server)), asked, headers };
}

async function listen(server: Server): Promise<TestServer> {
  const sockets = new Set<Socket>();
  let connections = 0;
  server.on("connection", (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
