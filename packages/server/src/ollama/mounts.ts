import type { Mount } from "../http/serve-request.ts";
import type { OllamaParts, Route } from "./endpoint.ts";

/** Paths of Ollama's protocol, and what answers there. Ours begin with `/api/v1`, so that both live on one port. */
const routes: Readonly<Record<string, Route>> = {
  "/api/version": "version",
  "/api/tags": "tags",
  "/api/show": "show",
  "/api/ps": "ps",
  "/api/chat": "chat",
  "/api/generate": "generate",
  "/api/embed": "embed",
  "/api/embeddings": "embeddings",
  "/api/pull": "pull",
  "/api/delete": "delete",
  "/api/create": "create",
  "/api/copy": "copy",
  "/api/push": "push",
};

/** Ollama's protocol, for its clients and for editors that speak it. Loaded when somebody asks: most daemons are never asked. */
export function ollamaMounts(parts: OllamaParts): [string, Mount][] {
  return Object.entries(routes).map(([path, route]) => [
    path,
    async (request, response) => (await import("./endpoint.ts")).serveOllama(parts, route, request, response),
  ]);
}
