import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { sha256Of } from "./gguf-files.ts";

/** A file as a server has it, and how the server misbehaves about it. */
export interface ServedFile {
  body: Buffer;
  /** Null for none. */
  etag?: string | null;
  /** Without, `Range` is ignored. */
  ranges?: boolean;
  contentType?: string;
  /** Without, the end of the answer is the end of the connection. */
  contentLength?: boolean;
  bytesPerSecond?: number;
  /** Answers a request itself when it gives true. */
  answer?: (request: IncomingMessage, response: ServerResponse, count: number) => boolean;
  /** Breaks the connection after so many bytes of an answer. */
  cutAfter?: (count: number) => number | undefined;
}

export interface Requested {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly status: () => number;
}

export interface ModelFileServer {
  readonly url: string;
  readonly host: string;
  /** By path. Those with a query are found without it. */
  readonly files: Map<string, ServedFile>;
  readonly requests: Requested[];
  /** Bytes of bodies that were sent. */
  readonly bytesSent: () => number;
  /** Answers being sent now, and the most there ever were. */
  readonly mostAtOnce: () => number;
  close(): Promise<void>;
}

/** An HTTP server on loopback with files that are fetched in ranges, or that go wrong in a chosen way. */
export async function startModelFileServer(): Promise<ModelFileServer> {
  const files = new Map<string, ServedFile>();
  const requests: Requested[] = [];
  const counts = new Map<string, number>();
  const sockets = new Set<Socket>();
  let bytesSent = 0;
  let atOnce = 0;
  let most = 0;

  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? "").replace(/\?.*$/, ""));
    const count = (counts.get(path) ?? 0) + 1;
    counts.set(path, count);
    requests.push({ path: request.url ?? "", headers: request.headers, status: () => response.statusCode });
    const file = files.get(path);
    if (!file) {
      response.writeHead(404, { "content-type": "text/plain" }).end("no such file");
      return;
    }
    if (file.answer?.(request, response, count) === true) return;
    atOnce += 1;
    most = Math.max(most, atOnce);
    void send(file, request, response, count, (bytes) => (bytesSent += bytes)).finally(() => (atOnce -= 1));
  });
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `http://${host}`,
    host,
    files,
    requests,
    bytesSent: () => bytesSent,
    mostAtOnce: () => most,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

async function send(
  file: ServedFile,
  request: IncomingMessage,
  response: ServerResponse,
  count: number,
  sent: (bytes: number) => void,
): Promise<void> {
  const { body, etag = `"${sha256Of(body).slice(0, 16)}"`, ranges = true, contentLength = true } = file;
  const asked = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  const ifRange = request.headers["if-range"];
  const inRange = ranges && asked !== null && (ifRange === undefined || ifRange === etag);
  const start = inRange ? Number(asked[1]) : 0;
  if (inRange && start >= body.length) {
    response.writeHead(416, { "content-range": `bytes */${body.length}` }).end();
    return;
  }
  const end = inRange ? Math.min(Number(asked[2]) + 1, body.length) : body.length;
  response.writeHead(inRange ? 206 : 200, {
    "content-type": file.contentType ?? "application/octet-stream",
    ...(contentLength && { "content-length": end - start }),
    ...(etag !== null && { etag }),
    ...(ranges && { "accept-ranges": "bytes" }),
    ...(inRange && { "content-range": `bytes ${start}-${end - 1}/${body.length}` }),
  });
  const cut = file.cutAfter?.(count);
  const until = cut === undefined ? end : Math.min(end, start + cut);
  const closed = new Promise<void>((resolve) => response.on("close", resolve));
  const piece = 16 * 1024;
  for (let at = start; at < until && !response.destroyed; at += piece) {
    const chunk = body.subarray(at, Math.min(at + piece, until));
    sent(chunk.length);
    const flushed = new Promise<void>((resolve) => response.write(chunk, () => resolve()));
    await Promise.race([flushed, closed]);
    if (file.bytesPerSecond !== undefined) await sleep((chunk.length / file.bytesPerSecond) * 1000);
  }
  if (cut === undefined) response.end();
  else response.destroy();
}

/** Makes the server answer as the Hub of Hugging Face does for a repository; files are sent on to `cdn`. */
export function serveRepository(
  server: ModelFileServer,
  repo: string,
  contents: Readonly<Record<string, Buffer>>,
  options: {
    readonly revision?: string;
    readonly cdn?: ModelFileServer;
    readonly licence?: string;
    readonly token?: string;
  } = {},
): { readonly commit: string } {
  const { revision = "main", cdn = server, licence, token } = options;
  const commit = sha256Of(Buffer.concat(Object.values(contents))).slice(0, 40);
  const denied = (request: IncomingMessage, response: ServerResponse) => {
    if (token === undefined || request.headers.authorization === `Bearer ${token}`) return false;
    response.writeHead(401, { "x-error-code": "GatedRepo" }).end();
    return true;
  };
  const info = {
    id: repo,
    sha: commit,
    private: false,
    cardData: licence === undefined ? undefined : { license: licence },
    siblings: Object.entries(contents).map(([rfilename, body]) => ({
      rfilename,
      size: body.length,
      lfs: { sha256: sha256Of(body), size: body.length, pointerSize: 134 },
    })),
  };
  for (const name of [revision, commit]) {
    const body = Buffer.from(JSON.stringify(info));
    server.files.set(`/api/models/${repo}/revision/${name}`, { body, contentType: "application/json", answer: denied });
  }
  for (const [path, body] of Object.entries(contents)) {
    cdn.files.set(`/cdn/${sha256Of(body)}`, { body });
    server.files.set(`/${repo}/resolve/${commit}/${path}`, {
      body: Buffer.alloc(0),
      answer(request, response) {
        if (denied(request, response)) return true;
        response.writeHead(302, { location: `${cdn.url}/cdn/${sha256Of(body)}?signature=abc` }).end("Found");
        return true;
      },
    });
  }
  return { commit };
}

/** Makes the server answer as the registry of Ollama does for a model. */
export function serveOllamaModel(
  server: ModelFileServer,
  name: string,
  tag: string,
  layers: readonly { readonly kind: string; readonly body: Buffer }[],
): void {
  const manifest = {
    schemaVersion: 2,
    layers: layers.map(({ kind, body }) => ({
      mediaType: `application/vnd.ollama.image.${kind}`,
      digest: `sha256:${sha256Of(body)}`,
      size: body.length,
    })),
  };
  server.files.set(`/v2/library/${name}/manifests/${tag}`, { body: Buffer.from(JSON.stringify(manifest)) });
  for (const { body } of layers) server.files.set(`/v2/library/${name}/blobs/sha256:${sha256Of(body)}`, { body });
}
