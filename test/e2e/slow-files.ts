import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A server of files on loopback that answers ranges. From its half on, a file is held back until it is let go. */
export interface SlowFiles extends AsyncDisposable {
  readonly url: string;
  /** What is held back, and what is asked for from now on, is sent. */
  release(): void;
  hold(): void;
}

export async function serveSlowly(files: Readonly<Record<string, Uint8Array>>): Promise<SlowFiles> {
  let held = true;
  let waiting: (() => void)[] = [];
  const server = createServer((request, response) => {
    const file = files[(request.url ?? "/").slice(1)];
    if (file === undefined) {
      response.writeHead(404).end();
      return;
    }
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const start = Number(first ?? 0);
    const end = last === undefined || last === "" ? file.length : Math.min(file.length, Number(last) + 1);
    response.writeHead(first === undefined ? 200 : 206, {
      "content-type": "application/octet-stream",
      "content-length": end - start,
      "accept-ranges": "bytes",
      etag: `"${file.length}"`,
      ...(first !== undefined && { "content-range": `bytes ${start}-${end - 1}/${file.length}` }),
    });
    const half = Math.max(start, Math.min(end, Math.floor(file.length / 2)));
    response.write(file.subarray(start, half));
    const rest = (): void => void response.end(file.subarray(half, end));
    if (held && half < end) waiting.push(rest);
    else rest();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    release() {
      held = false;
      for (const send of waiting.splice(0)) send();
    },
    hold: () => void (held = true),
    async [Symbol.asyncDispose]() {
      waiting = [];
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
