import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { DocumentComparison, DocumentKind } from "@benchtop/documents";
import { documentKindOf } from "@benchtop/documents/kinds";
import { BenchtopError } from "@benchtop/protocol";
import type { Environment } from "../environment.ts";
import type { FileContent } from "../files/files.ts";
import { Thread } from "../threads/thread.ts";
import type { DocumentJobs, DocumentsInput } from "./document-jobs.ts";
import { Recent } from "./recent.ts";

export interface DocumentPair {
  readonly path: string;
  readonly mediaType: string;
  readonly sha256Before: string | null;
  readonly sha256After: string | null;
  readonly bytesBefore: number | null;
  readonly bytesAfter: number | null;
}

/** A thread that a hostile document cannot take the process down with. */
export function documentsThread(): Thread<DocumentJobs> {
  return new Thread<DocumentJobs>({
    script: new URL("../threads/documents-worker.ts", import.meta.url),
    resourceLimits: { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 64 },
  });
}

/** Comparing bytes takes time by their number alone, and is what is left where a document takes too long. */
const bytesTimeoutMs = 60_000;
/** Comparisons and pages that are kept: enough to go back and forth in a review. */
const recentComparisons = 8;
const recentPages = { count: 64, bytes: 32_000_000 };

const rememberedKills = 1000;
const killedForMs = 300_000;

/** Reads documents in the thread for them, from blobs, without a network; what was read is remembered by its content. */
export class DocumentReader {
  readonly #environment: Environment;
  readonly #comparisons = new Recent<DocumentComparison>(recentComparisons);
  readonly #pages = new Recent<Uint8Array>(recentPages.count, recentPages.bytes, (image) => image.byteLength);

  /** What was killed lately, by what was asked, and why: to ask again costs nobody the same time again. */
  readonly #killed = new Map<string, { readonly why: string; readonly until: number }>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** As what it is; as bytes where that is asked for, or where it cannot be read within the limits. A warning says why. */
  async compare(pair: DocumentPair, as: { bytes: boolean; offset?: number | undefined }): Promise<DocumentComparison> {
    const { limits } = this.#environment;
    const kind = as.bytes ? null : documentKindOf(pair.path, pair.mediaType);
    if (kind === null) return await this.#comparison(pair, null, as.offset);
    if (Math.max(pair.bytesBefore ?? 0, pair.bytesAfter ?? 0) > limits.maxDocumentBytes) {
      const message = `It has more than ${limits.maxDocumentBytes} bytes (limit maxDocumentBytes).`;
      return await this.#unreadable(pair, message, as.offset);
    }
    const key = JSON.stringify([kind, pair.path, pair.sha256Before, pair.sha256After]);
    const read = await this.#unlessKilled(key, () => this.#comparison(pair, kind));
    return "why" in read ? await this.#unreadable(pair, read.why, as.offset) : read.value;
  }

  /** One page of a PDF as an image. Throws `NOT_FOUND` for a page that is not there, `VALIDATION_FAILED` for what has none. */
  async page(file: { path: string; mediaType: string; sha256: string; bytes: number }, page: number, width: number) {
    const { store, documents, limits } = this.#environment;
    if (documentKindOf(file.path, file.mediaType) !== "pages" || file.bytes > limits.maxDocumentBytes) {
      throw noPages(file.path, "it is no PDF, or larger than the limit maxDocumentBytes");
    }
    const input = { file: store.blobs.pathOf(file.sha256), page, width };
    const read = await this.#unlessKilled(file.sha256, () =>
      this.#pages.get(`${file.sha256} ${page} ${width}`, () =>
        documents.run("renderPage", input, limits.documentTimeoutMs),
      ),
    );
    if ("why" in read) throw noPages(file.path, read.why);
    return contentOf(`${nameOf(file.path)}-page-${page}.png`, read.value);
  }

  /** Does it, or says why it was killed, now or a short while ago: a machine that was busy then may not be any more. */
  async #unlessKilled<Value>(key: string, read: () => Promise<Value>): Promise<{ value: Value } | { why: string }> {
    const known = this.#killed.get(key);
    if (known && known.until > Date.now()) return known;
    this.#killed.delete(key);
    try {
      return { value: await read() };
    } catch (thrown) {
      const why = whyKilled(thrown);
      if (why === undefined) throw thrown;
      if (this.#killed.size >= rememberedKills) this.#killed.clear();
      this.#killed.set(key, { why, until: Date.now() + killedForMs });
      return { why };
    }
  }

  async #unreadable(pair: DocumentPair, message: string, offset: number | undefined): Promise<DocumentComparison> {
    const comparison = await this.#comparison(pair, null, offset);
    return { ...comparison, warnings: [{ kind: "unreadable", message, where: null }, ...comparison.warnings] };
  }

  async #comparison(pair: DocumentPair, kind: DocumentKind | null, offset?: number): Promise<DocumentComparison> {
    const { store, documents, limits } = this.#environment;
    const { path, mediaType, sha256Before: before, sha256After: after } = pair;
    const input: DocumentsInput = {
      kind,
      before: before === null ? null : store.blobs.pathOf(before),
      after: after === null ? null : store.blobs.pathOf(after),
      mediaType,
      path,
      ...(offset !== undefined && { offset }),
    };
    return await this.#comparisons.get(JSON.stringify(input), () =>
      documents.run("compareDocuments", input, kind === null ? bytesTimeoutMs : limits.documentTimeoutMs),
    );
  }
}

/** Why a job was killed that asked for too much; undefined for any other failure. */
export function whyKilled(thrown: unknown): string | undefined {
  const { code } = thrown as { code?: unknown };
  if (code === "ETIMEDOUT") return "Reading it takes too long.";
  return code === "ERR_WORKER_OUT_OF_MEMORY" ? "Reading it takes too much memory." : undefined;
}

function noPages(path: string, why: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `"${path}" has no pages that can be shown: ${why}`, {
    phase: "review",
    detail: { path },
  });
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function contentOf(fileName: string, bytes: Uint8Array): FileContent {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { fileName, mediaType: "image/png", sha256, bytes: bytes.length, content: Readable.from([bytes]) };
}
