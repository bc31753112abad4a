import { link, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import type { OnProgress } from "../registry/descriptor.ts";
import type { NewFile } from "../registry/installer.ts";
import { readFile } from "../registry/read-file.ts";
import { refusal } from "../registry/refusals.ts";
import type { ModelRegistry } from "../registry/registry.ts";
import type { Secret } from "../secret.ts";
import type { Bandwidth } from "./bandwidth.ts";
import type { DownloadPlan } from "./download.ts";
import type { DownloadContext, DownloadGate } from "./download-gate.ts";
import { fetchFile, type FetchLimits } from "./fetch-file.ts";
import { huggingFaceFileUrl } from "./hugging-face.ts";
import type { Offer, OfferedFile } from "./offer.ts";
import { ollamaFileUrl } from "./ollama-registry.ts";
import { PartFile } from "./part-file.ts";
import { refusedAnswer } from "./refused-answer.ts";

export interface DownloadMeans {
  readonly registry: ModelRegistry;
  readonly gate: DownloadGate;
  readonly readToken: () => Promise<Secret | undefined>;
  readonly bandwidth: Bandwidth;
  readonly limits: FetchLimits;
}

export interface DownloadJob {
  readonly id: string;
  readonly name: string;
  readonly plan: DownloadPlan;
  readonly workspaceId: string;
}

/** How a download is told to go. */
export interface DownloadTelling {
  /** Of one file; less than before where it began anew. */
  progress(index: number, bytesDone: number, bytesTotal: number | null): void;
  waiting(until: Date | undefined): void;
  verifying(): Promise<void>;
  fetching(): Promise<void>;
}

/**
 * Brings a model and installs it. Done again after a crash at any moment, it goes on from there: files that are whole are not fetched
 * again, and a model that is installed already is done.
 */
export async function runDownload(
  job: DownloadJob,
  means: DownloadMeans,
  tell: DownloadTelling,
  signal: AbortSignal,
): Promise<void> {
  const { id, name, plan } = job;
  const { registry } = means;
  if (await registry.findById(id)) return registry.folders.removeDownload(id);
  const { request } = plan.offer;
  const onProgress: OnProgress = ({ bytesDone }) => {
    let left = bytesDone;
    for (const [index, { bytes }] of plan.offer.files.entries()) {
      tell.progress(index, Math.min(left, bytes ?? 0), bytes);
      left = Math.max(0, left - (bytes ?? 0));
    }
  };
  const given = { id, name, replace: plan.replace, onProgress };
  if (request.type === "file") {
    const sha256 = plan.offer.files[0]?.sha256 ?? undefined;
    await registry.installFile(request.path, { ...given, link: request.link, sha256 }, signal);
  } else if (request.type === "ollama-library") {
    await registry.importOllama({ ...given, model: request.model, dir: request.dir, link: request.link }, signal);
  } else {
    await fetchModel(job, means, tell, signal);
  }
}

async function fetchModel(
  job: DownloadJob,
  means: DownloadMeans,
  tell: DownloadTelling,
  signal: AbortSignal,
): Promise<void> {
  const { registry } = means;
  const folder = await registry.folders.downloadFolder(job.id);
  const { offer, replace } = job.plan;
  const files: NewFile[] = [];
  for (const [index, file] of offer.files.entries()) {
    const whole = await wholeFile(join(folder, String(index)), index, file, { job, means, tell }, signal);
    files.push({ ...whole, name: file.name, role: file.role });
  }
  await tell.verifying();
  try {
    await registry.adopt(
      files,
      {
        name: job.name,
        source: offer.source,
        licence: offer.licence ?? undefined,
        defaults: offer.defaults ?? undefined,
        replace,
      },
      signal,
      { id: job.id },
    );
  } catch (error) {
    signal.throwIfAborted();
    if (!BenchtopError.is(error) || error.code !== "VALIDATION_FAILED") throw error;
    // A name that was taken meanwhile says nothing about the files.
    await registry.installer.checkName(job.name, replace);
    await registry.folders.removeDownload(job.id);
    throw refusal("VALIDATION_FAILED", `What was downloaded cannot be used, and was thrown away. ${error.message}`);
  }
  await registry.folders.removeDownload(job.id);
}

/** One file, whole and with the hash that it has to have: from an earlier attempt, from another model, or fetched now. */
async function wholeFile(
  path: string,
  index: number,
  file: OfferedFile,
  { job, means, tell }: { job: DownloadJob; means: DownloadMeans; tell: DownloadTelling },
  signal: AbortSignal,
): Promise<NewFile> {
  const whole = `${path}.gguf`;
  const { sha256 } = file;
  const had = await sizeOf(whole);
  if (had !== undefined) {
    tell.progress(index, had, had);
    return { path: whole, ...(sha256 !== null && { sha256 }) };
  }
  if (sha256 !== null && (await takeInstalled(sha256, whole, means.registry))) {
    tell.progress(index, file.bytes ?? 0, file.bytes);
    return { path: whole, sha256 };
  }
  await tell.fetching();
  const part = `${path}.part`;
  await fetchFile(
    {
      path: part,
      // What an address has may change until it is fetched; a commit and a hash stay what they are.
      bytes: job.plan.offer.source.type === "url" && sha256 === null ? null : file.bytes,
      willBeChecked: sha256 !== null,
      maxBytes: (await means.registry.usage()).freeBytes,
      ask: await asker(job, file, means),
      take: (bytes, aborted) => means.bandwidth.take(bytes, aborted),
      onProgress: ({ bytesDone, bytesTotal }) => tell.progress(index, bytesDone, bytesTotal),
      onWait: (until) => tell.waiting(until),
    },
    means.limits,
    signal,
  );
  await tell.verifying();
  const read = await readFile({ path: part }, () => undefined, signal);
  if (sha256 !== null && read.sha256 !== sha256) {
    await PartFile.remove(part);
    throw refusal(
      "PROVIDER_UNAVAILABLE",
      "The file that came is not the one that was announced: its sha256 is another. It was thrown away; try again.",
    );
  }
  await rename(part, whole);
  await PartFile.remove(part);
  return { path: whole, sha256: read.sha256 };
}

/** Another name of a file that some model has. */
async function takeInstalled(sha256: string, to: string, registry: ModelRegistry): Promise<boolean> {
  const from = await registry.installer.pathOfInstalled(sha256);
  if (from === undefined) return false;
  try {
    await link(from, to);
    return true;
  } catch {
    // A file system without hard links; or the model is being removed. Fetching does as well.
    return false;
  }
}

export async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}

/** Asks the source for a file. Where it sends on to is remembered, until that address is good no more. */
async function asker({ name, plan, workspaceId }: DownloadJob, file: OfferedFile, { gate, readToken }: DownloadMeans) {
  const { offer } = plan;
  const context = contextOf(offer.request, workspaceId, name);
  const asked = fileUrl(offer, file, gate);
  const token = context.place === "huggingface" ? await readToken() : undefined;
  const repo = offer.source.type === "huggingface" ? offer.source.repo : undefined;
  let known: string | undefined;
  return async (
    headers: Readonly<Record<string, string>>,
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<Response> => {
    for (;;) {
      const from = known ?? asked;
      const { response, url } = await gate.get(from, { headers, token, maxBytes }, context, signal);
      if ([200, 206, 416].includes(response.status)) {
        known = url;
        return response;
      }
      await response.body?.cancel();
      // Signed addresses expire.
      const isStale = known !== undefined && known !== asked && staleStatuses.has(response.status);
      if (!isStale) throw refusedAnswer(response, new URL(url).host, { context, repo, hasToken: token !== undefined });
      known = undefined;
    }
  };
}

const staleStatuses: ReadonlySet<number> = new Set([400, 401, 403, 404, 410]);

function fileUrl({ source, request }: Offer, file: OfferedFile, { baseUrls }: DownloadGate): string {
  if (source.type === "huggingface")
    return huggingFaceFileUrl(baseUrls.huggingface, source.repo, source.revision, file.at);
  if (request.type === "ollama") return ollamaFileUrl(baseUrls.ollama, request.model, file.at);
  return file.at;
}

export function contextOf(request: Offer["request"], workspaceId: string, modelId: string): DownloadContext {
  const where = { workspaceId, modelId };
  if (request.type === "huggingface" || request.type === "ollama") return { place: request.type, ...where };
  if (request.type !== "url") throw new Error("Files of this machine are not fetched.");
  const { url, redirectHosts = [] } = request;
  return { place: "url", url, redirectHosts, ...where };
}
