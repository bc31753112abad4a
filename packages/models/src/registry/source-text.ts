import { isAbsolute } from "node:path";
import type { ModelSource } from "./descriptor.ts";
import { ollamaNameText, parseOllamaName } from "./ollama/manifest.ts";
import { invalid } from "./refusals.ts";

/** What a person asks to install, before anybody has looked whether it is there. */
export type ModelRequest =
  /** `file` is exact; `quantization` finds the file whose name says it; with neither, a usual one is chosen. */
  | {
      readonly type: "huggingface";
      readonly repo: string;
      readonly revision?: string | undefined;
      readonly file?: string | undefined;
      readonly quantization?: string | undefined;
    }
  | { readonly type: "ollama"; readonly model: string }
  /** `redirectHosts`: hosts that the person trusts to be sent on to. */
  | { readonly type: "url"; readonly url: string; readonly redirectHosts?: readonly string[] | undefined }
  | { readonly type: "file"; readonly path: string; readonly link?: boolean | undefined }
  /** Of Ollama's own folder on this machine. */
  | {
      readonly type: "ollama-library";
      readonly model: string;
      readonly dir?: string | undefined;
      readonly link?: boolean | undefined;
    };

/**
 * Reads a source as people write it: `hf:OWNER/REPO`, `hf:OWNER/REPO:Q4_K_M`, `hf:OWNER/REPO/FILE.gguf`, each with `@REVISION`
 * if wanted; `ollama:NAME:TAG`; `https://…`; or the path of a file. Throws `VALIDATION_FAILED`.
 */
export function parseModelRequest(text: string): ModelRequest {
  const given = text.trim();
  const [, scheme = "", rest = ""] = /^([a-z-]+):(.*)$/is.exec(given) ?? [];
  switch (scheme.toLowerCase()) {
    case "hf":
    case "huggingface":
      return parseHuggingFace(rest.replace(/^\/\//, ""));
    case "ollama":
      return { type: "ollama", model: ollamaNameText(parseOllamaName(rest)) };
    case "ollama-library":
      return { type: "ollama-library", model: ollamaNameText(parseOllamaName(rest)) };
    case "https":
    case "http":
      return parseUrl(given);
    case "file":
      return parseFileUrl(given);
    default:
      if (isAbsolute(given)) return { type: "file", path: given };
      throw invalid(
        "Say where the model is: hf:OWNER/REPO, ollama:NAME, a URL that begins with https://, or the whole path of a file.",
      );
  }
}

/** The words that `parseModelRequest` reads as exactly this. */
export function requestText(request: ModelRequest): string {
  switch (request.type) {
    case "huggingface": {
      const { repo, revision, file, quantization } = request;
      const which = file === undefined ? (quantization === undefined ? "" : `:${quantization}`) : `/${file}`;
      return `hf:${repo}${which}${revision === undefined ? "" : `@${revision}`}`;
    }
    case "url":
      return withoutQuery(request.url);
    case "file":
      return request.path;
    default:
      return `${request.type}:${request.model}`;
  }
}

/** Where an installed model came from, in words that `parseModelRequest` takes or that say how it was made. */
export function sourceText(source: ModelSource): string {
  switch (source.type) {
    case "huggingface": {
      const { repo, revision, files } = source;
      const [file] = files;
      return requestText({ type: "huggingface", repo, revision, file });
    }
    case "url":
      return source.url;
    case "file":
      return source.path;
    case "ollama":
      return `ollama:${source.model}`;
    case "quantized":
      return `quantized from ${source.from}`;
    case "trained":
      return source.base === null ? "trained here" : `trained here from ${source.base}`;
    case "bundle":
      return `${sourceText(source.from)} (from a bundle)`;
    default:
      return "comes with Benchtop";
  }
}

/** A query may hold a signature. */
export function withoutQuery(text: string): string {
  const url = URL.parse(text);
  return url === null ? text : `${url.origin}${url.pathname}`;
}

/** An owner and a repository; the oldest repositories have no owner. */
const repoName = /^(?:[A-Za-z0-9][\w.-]{0,95}\/)?[A-Za-z0-9][\w.-]{0,95}$/;
const revisionName = /^[\w][\w./-]{0,199}$/;

function parseHuggingFace(text: string): ModelRequest {
  const at = text.lastIndexOf("@");
  const revision = at === -1 ? undefined : text.slice(at + 1);
  const place = at === -1 ? text : text.slice(0, at);
  const [, path = "", quantization] = /^([^:]*)(?::(.*))?$/s.exec(place) ?? [];
  const [owner = "", name, ...file] = path.split("/");
  const repo = name === undefined ? owner : `${owner}/${name}`;
  const request: ModelRequest = {
    type: "huggingface",
    repo,
    ...(revision !== undefined && { revision }),
    ...(file.length > 0 && { file: file.join("/") }),
    ...(quantization !== undefined && { quantization }),
  };
  checkHuggingFace(request);
  return request;
}

/** Whatever comes from a caller or a list ends up in a URL. Throws `VALIDATION_FAILED`. */
export function checkHuggingFace(request: Extract<ModelRequest, { type: "huggingface" }>): void {
  const { repo, revision, file, quantization } = request;
  if (!repoName.test(repo) || repo.includes("..")) {
    throw invalid("A repository of Hugging Face is written OWNER/REPO, such as hf:Qwen/Qwen2.5-7B-Instruct-GGUF.");
  }
  if (revision !== undefined && (!revisionName.test(revision) || revision.includes(".."))) {
    throw invalid("A revision is the name of a branch or tag, or a commit.");
  }
  if (file !== undefined && !isPathInRepo(file)) throw invalid("That is no path of a .gguf file in a repository.");
  if (quantization !== undefined && !/^[\w.-]{1,40}$/.test(quantization)) {
    throw invalid("A quantization is written as in the names of files: Q4_K_M, Q8_0, F16.");
  }
}

/** A path of a repository that is safe in a URL and of a file that can be installed. */
export function isPathInRepo(path: string): boolean {
  const steps = path.split("/");
  return (
    path.length <= 500 &&
    /\.gguf$/i.test(path) &&
    // oxlint-disable-next-line no-control-regex -- Control characters are what is refused.
    steps.every((step) => step !== "" && step !== "." && step !== ".." && !/[\\\0-\x1f\x7f]/.test(step))
  );
}

function parseUrl(text: string): ModelRequest {
  const url = URL.parse(text);
  if (url === null) throw invalid("That is no URL.");
  if (url.username !== "" || url.password !== "") throw invalid("A URL must not hold a user name or password.");
  const blob = /^\/([^/]+\/[^/]+)\/(?:blob|resolve)\/([^/]+)\/(.+)$/.exec(url.pathname);
  // The address of a file's page is what people copy; its repository says more than the file alone.
  if (url.host === "huggingface.co" && url.protocol === "https:" && blob) {
    const [, repo = "", revision = "", file = ""] = blob.map(decoded);
    const request = { type: "huggingface", repo, revision, file } as const;
    checkHuggingFace(request);
    return request;
  }
  url.hash = "";
  return { type: "url", url: url.href };
}

function parseFileUrl(text: string): ModelRequest {
  const url = URL.parse(text);
  if (url === null || url.host !== "") throw invalid("A file: URL names a file of this machine.");
  return { type: "file", path: decoded(url.pathname) };
}

/** A text of a URL as people read it; as it is where it is not encoded as it should be. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
