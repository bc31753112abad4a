import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDaemon, type Daemon, type DaemonOptions } from "../src/index.ts";

export interface TestDaemon extends Daemon, AsyncDisposable {
  readonly home: string;
  readonly port: number;
  /** `fetch` below the daemon's address, with the token unless `token: null`. */
  fetch(path: string, init?: RequestInit & { token?: string | null }): Promise<Response>;
  /** A request whose every header is the test's own; `fetch` would not send a hostile `Host`. */
  raw(path: string, init?: RawRequest): Promise<RawResponse>;
}

export interface RawRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface RawResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The error envelope's content. */
  readonly error: { readonly message: string; readonly error_code: string; readonly detail?: Record<string, unknown> };
}

/** No limit that a test which asks all day would meet. */
export const unlimited = {
  identity: { perSecond: 1_000_000, burst: 1_000_000 },
  address: { perSecond: 1_000_000, burst: 1_000_000 },
  failedSignIns: 1_000_000,
};

/** A real daemon on a real, fresh home and a free port. `config`: its `config.json`. Disposing ends it and removes what it made. */
export async function startTestDaemon({
  config,
  ...options
}: Partial<DaemonOptions> & { readonly config?: object } = {}): Promise<TestDaemon> {
  const folder = await mkdtemp(join(tmpdir(), "benchtop-server-"));
  const home = options.home ?? join(folder, "home");
  if (config !== undefined) {
    await mkdir(home, { recursive: true, mode: 0o700 });
    await writeFile(join(home, "config.json"), JSON.stringify(config), { mode: 0o600 });
  }
  const daemon = await startDaemon({
    port: 0,
    configDir: join(folder, "config"),
    checkOutputs: true,
    ...options,
    home,
  });
  const port = Number(new URL(daemon.url).port);
  return {
    ...daemon,
    home,
    port,
    fetch: (path, { token = daemon.token, ...init } = {}) => {
      const headers = new Headers(init.headers);
      if (token !== null) headers.set("authorization", `Bearer ${token}`);
      return globalThis.fetch(`${daemon.url}${path}`, { ...init, headers });
    },
    raw: (path, init) => rawRequest(port, path, init),
    async [Symbol.asyncDispose]() {
      await daemon.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function rawRequest(port: number, path: string, init: RawRequest = {}): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    const { method = "GET", headers = {}, body } = init;
    const request = httpRequest({ host: "127.0.0.1", port, path, method, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: text,
          get error() {
            return (JSON.parse(text) as { error: RawResponse["error"] }).error;
          },
        }),
      );
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** A POST with a JSON body. */
export function json(body: unknown, headers: Record<string, string> = {}): RequestInit {
  return { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) };
}

export async function errorOf(response: Response): Promise<RawResponse["error"] & { retryable: boolean }> {
  return ((await response.json()) as { error: RawResponse["error"] & { retryable: boolean } }).error;
}
