import { createHash } from "node:crypto";
import { modelNameFrom } from "../registry/model-name.ts";
import {
  defaultsFrom,
  ollamaNameText,
  parseOllamaManifest,
  parseOllamaName,
  readTexts,
} from "../registry/ollama/manifest.ts";
import type { DownloadContext, DownloadGate } from "./download-gate.ts";
import { quantizationIn, type Offer } from "./offer.ts";
import { readAnswer } from "./read-answer.ts";

/** The model that a name and tag stand for in the Ollama library now, with its template, parameters and licence. */
export async function ollamaOffer(
  gate: DownloadGate,
  text: string,
  context: DownloadContext,
  signal: AbortSignal,
): Promise<Offer> {
  const asked = parseOllamaName(text);
  const name = ollamaNameText(asked);
  const base = `${gate.baseUrls.ollama}/v2/${asked.namespace}/${asked.name}`;
  const manifest = await readAnswer(
    gate,
    `${base}/manifests/${asked.tag}`,
    { headers: { accept: "application/vnd.docker.distribution.manifest.v2+json" }, maxBytes: 1024 * 1024 },
    { context, repo: name },
    signal,
  );
  const model = parseOllamaManifest(new TextDecoder().decode(manifest));
  const texts = await readTexts(
    model,
    ({ sha256, bytes }) =>
      readAnswer(gate, `${base}/blobs/sha256:${sha256}`, { maxBytes: bytes }, { context, repo: name }, signal),
    sha256Of,
  );
  const { defaults, licence } = defaultsFrom(texts);
  return {
    request: { type: "ollama", model: name },
    title: name,
    quantization: quantizationIn(asked.tag),
    suggestedName: modelNameFrom(name.replace(/:latest$/, "")),
    source: { type: "ollama", model: name, digest: sha256Of(manifest) },
    files: model.files.map(({ sha256, bytes, role }, index) => ({
      at: sha256,
      name: role === "weights" ? "model.gguf" : `adapter-${index}.gguf`,
      bytes,
      sha256,
      role,
    })),
    licence: licence ?? null,
    defaults,
  };
}

export function ollamaFileUrl(base: string, model: string, sha256: string): string {
  const { namespace, name } = parseOllamaName(model);
  return `${base}/v2/${namespace}/${name}/blobs/sha256:${sha256}`;
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
