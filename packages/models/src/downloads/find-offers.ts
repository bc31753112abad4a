import { stat } from "node:fs/promises";
import { splitParts } from "@benchtop/llama/gguf";
import { inspectModel } from "../registry/inspect-model.ts";
import { checkedFile, titleOf } from "../registry/install-file.ts";
import { fileNameFrom, modelNameFrom } from "../registry/model-name.ts";
import { lookIntoOllama } from "../registry/ollama/import-ollama.ts";
import { ollamaNameText, parseOllamaName } from "../registry/ollama/manifest.ts";
import type { ModelRequest } from "../registry/source-text.ts";
import type { Secret } from "../secret.ts";
import type { DownloadGate } from "./download-gate.ts";
import { huggingFaceOffers } from "./hugging-face.ts";
import { quantizationIn, type Offer, type OfferedFile } from "./offer.ts";
import { ollamaOffer } from "./ollama-registry.ts";
import { contextOf } from "./run-download.ts";
import { urlOffer } from "./url-offer.ts";

/** What a source has of what was asked for. Throws `NOT_FOUND`, `VALIDATION_FAILED`, and what the way to the source throws. */
export async function findOffers(
  request: ModelRequest,
  means: { readonly gate: DownloadGate; readonly readToken: () => Promise<Secret | undefined> },
  workspaceId: string,
  signal: AbortSignal,
): Promise<Offer[]> {
  const { gate, readToken } = means;
  switch (request.type) {
    case "huggingface":
      return huggingFaceOffers(gate, request, contextOf(request, workspaceId, request.repo), await readToken(), signal);
    case "ollama":
      return [await ollamaOffer(gate, request.model, contextOf(request, workspaceId, request.model), signal)];
    case "url":
      return [await urlOffer(gate, request, contextOf(request, workspaceId, new URL(request.url).host), signal)];
    case "file":
      return [await fileOffer(request, signal)];
    default:
      return [await libraryOffer(request)];
  }
}

async function fileOffer(request: Extract<ModelRequest, { type: "file" }>, signal: AbortSignal): Promise<Offer> {
  const path = await checkedFile(request.path);
  const parts = await splitParts(path);
  const { quantization, licence } = await inspectModel(parts, signal);
  const files: OfferedFile[] = [];
  for (const part of parts) {
    const { size } = await stat(part);
    files.push({ at: part, name: fileNameFrom(part), bytes: size, sha256: null, role: "weights" });
  }
  const title = titleOf(path);
  return {
    request: { ...request, path },
    title,
    quantization,
    suggestedName: modelNameFrom(title),
    source: { type: "file", path },
    files,
    licence,
    defaults: null,
  };
}

async function libraryOffer(request: Extract<ModelRequest, { type: "ollama-library" }>): Promise<Offer> {
  const { model, digest, defaults, licence } = await lookIntoOllama(request);
  const name = ollamaNameText(parseOllamaName(request.model));
  return {
    request: { ...request, model: name },
    title: name,
    quantization: quantizationIn(name),
    suggestedName: modelNameFrom(name.replace(/:latest$/, "")),
    source: { type: "ollama", model: name, digest },
    files: model.files.map(({ sha256, bytes, role }) => ({ at: sha256, name: `${sha256}.gguf`, bytes, sha256, role })),
    licence: licence ?? null,
    defaults,
  };
}
