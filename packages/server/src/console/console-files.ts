import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { Refusal } from "../api/refusal.ts";

/**
 * The console's files. What is served is what a listing of the folder found, by exact name: a request's path is only
 * ever a key of that list and never becomes part of a file name, so there is nothing to traverse.
 */
export class ConsoleFiles {
  readonly #folder: string;
  #listing: { readonly builtAt: number; readonly files: ReadonlyMap<string, ServedFile> } | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async serve(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    if (request.method !== "GET" && request.method !== "HEAD") {
      throw new Refusal(405, "VALIDATION_FAILED", "This address answers GET.", { headers: { allow: "GET, HEAD" } });
    }
    for (const [name, value] of Object.entries(pageHeaders)) response.setHeader(name, value);
    const files = await this.#list();
    const exact = files.get(path);
    if (exact !== undefined && path !== "/index.html") return sendFile(request, response, exact);
    // Addresses of views belong to the console's own router; a missing asset must not answer with a page.
    if (!isView(request, path)) throw new Refusal(404, "NOT_FOUND", "There is nothing at this address.");
    const index = files.get("/index.html");
    return index === undefined ? sendNotBuilt(response) : sendFile(request, response, index);
  }

  /** Lists the folder again when the console was built anew. */
  async #list(): Promise<ReadonlyMap<string, ServedFile>> {
    const builtAt = await modifiedAt(join(this.#folder, "index.html"));
    if (builtAt === undefined) return new Map();
    if (this.#listing?.builtAt !== builtAt) {
      this.#listing = { builtAt, files: await listFiles(this.#folder) };
    }
    return this.#listing.files;
  }
}

interface ServedFile {
  readonly path: string;
  readonly mediaType: string;
  readonly encodings: ReadonlyMap<"br" | "gzip", string>;
  readonly immutable: boolean;
}

/** Nothing from elsewhere and nothing inline, neither scripts nor styles. */
const pageHeaders: Readonly<Record<string, string>> = {
  "Content-Security-Policy":
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "X-Frame-Options": "DENY",
};

const mediaTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".webmanifest": "application/manifest+json; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
};

function isView(request: IncomingMessage, path: string): boolean {
  if (path === "/" || path === "/index.html") return true;
  return !path.startsWith("/assets/") && (request.headers.accept ?? "").includes("text/html");
}

async function sendFile(request: IncomingMessage, response: ServerResponse, file: ServedFile): Promise<void> {
  const [encoding, path] = chooseEncoding(request, file);
  const { size, mtimeMs } = await stat(path);
  const etag = `"${createHash("sha256").update(`${path}:${size}:${mtimeMs}`).digest("base64url").slice(0, 22)}"`;
  const headers: Record<string, string | number> = {
    "Content-Type": file.mediaType,
    "Cache-Control": file.immutable ? "public, max-age=31536000, immutable" : "no-cache",
    ETag: etag,
    Vary: "Accept-Encoding",
    ...(encoding !== undefined && { "Content-Encoding": encoding }),
  };
  if (request.headers["if-none-match"] === etag) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, { ...headers, "Content-Length": size });
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  // Pages are small: one read is cheaper than a stream.
  if (size < 200_000) response.end(await readFile(path));
  else await pipeline(createReadStream(path), response);
}

function chooseEncoding(request: IncomingMessage, file: ServedFile): [string | undefined, string] {
  const accepted = request.headers["accept-encoding"];
  const offered = typeof accepted === "string" ? accepted.split(",").map((part) => part.trim()) : [];
  for (const encoding of ["br", "gzip"] as const) {
    const path = file.encodings.get(encoding);
    if (path !== undefined && offered.some((offer) => offer === encoding || offer.startsWith(`${encoding};q=1`))) {
      return [encoding, path];
    }
  }
  return [undefined, file.path];
}

async function listFiles(folder: string): Promise<Map<string, ServedFile>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length).replaceAll(sep, "/"));
  const all = new Set(names);
  const files = new Map<string, ServedFile>();
  for (const name of names) {
    if (/\.(br|gz|map)$/.test(name)) continue;
    const encodings = new Map<"br" | "gzip", string>();
    if (all.has(`${name}.br`)) encodings.set("br", join(folder, `${name}.br`));
    if (all.has(`${name}.gz`)) encodings.set("gzip", join(folder, `${name}.gz`));
    files.set(name, {
      path: join(folder, name),
      mediaType: mediaTypes[extname(name)] ?? "application/octet-stream",
      encodings,
      immutable: name.startsWith("/assets/"),
    });
  }
  return files;
}

async function modifiedAt(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

const notBuiltPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Benchtop</title>
<h1>The daemon runs. The console is not built.</h1>
<p>Build it in Benchtop's folder and load this page again:</p>
<pre>npm run build</pre>
<p>The command line works without it: <code>npx benchtop --help</code>.</p>
`;

function sendNotBuilt(response: ServerResponse): void {
  response.writeHead(200, { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store" });
  response.end(notBuiltPage);
}
