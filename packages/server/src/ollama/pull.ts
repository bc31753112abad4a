import { setTimeout as wait } from "node:timers/promises";
import { BenchtopError, errorCodes } from "@benchtop/protocol";
import type { z } from "zod";
import type { Exchange } from "./endpoint.ts";
import { nameIn } from "./names.ts";
import type { PullRequest } from "./requests.ts";

/** How often the progress is told. */
const intervalMs = 250;

/**
 * Installs a model and tells how far it is. A name is one of the Ollama library, `hf.co/OWNER/REPO[:QUANTIZATION]` one of Hugging
 * Face. A client that goes away leaves the download going, as it does with Ollama. What is installed already is a success at once.
 */
export async function pull(
  { caller, lines, signal }: Exchange,
  { model, name, stream }: z.output<typeof PullRequest>,
): Promise<void> {
  const written = model ?? name ?? "";
  const hub = /^(?:hf\.co|huggingface\.co)\/(.+)$/.exec(written)?.[1];
  const wanted = hub === undefined ? nameIn({ model, name }) : undefined;
  const tell = async (status: object): Promise<void> => (stream ? await lines.next(status, signal) : undefined);
  const { items: installed } = await caller.call("localModels.list", {}, signal);
  if (!installed.some((each) => each.name === wanted)) {
    await tell({ status: "pulling manifest" });
    const source = hub === undefined ? `ollama:${written}` : `hf:${hub}`;
    let download = await caller.call(
      "localModels.install",
      { source, ...(wanted !== undefined && { name: wanted }) },
      signal,
    );
    while (!ended.has(download.state)) {
      const { bytesDone, bytesTotal, state } = download;
      const digest = `sha256:${download.downloadId}`;
      const what = state === "verifying" ? "verifying sha256 digest" : `pulling ${download.name}`;
      await tell({ status: what, digest, ...(bytesTotal !== null && { total: bytesTotal, completed: bytesDone }) });
      await wait(intervalMs, undefined, { signal });
      const { items } = await caller.call("modelDownloads.list", {}, signal);
      const next = items.find(({ downloadId }) => downloadId === download.downloadId);
      if (next === undefined) throw new BenchtopError("NOT_FOUND", "The download is gone.", { phase: "settings" });
      download = next;
    }
    if (download.state !== "done") throw failureOf(download);
    await tell({ status: "writing manifest" });
  }
  if (!stream) return lines.whole({ status: "success" });
  await tell({ status: "success" });
  lines.end();
}

const ended: ReadonlySet<string> = new Set(["done", "failed", "canceled", "paused"]);

function failureOf({
  state,
  error,
}: {
  readonly state: string;
  readonly error: { code: string; message: string } | null;
}) {
  const code = errorCodes.find((known) => known === error?.code) ?? "PROVIDER_UNAVAILABLE";
  return new BenchtopError(code, error?.message ?? `The download was ${state}.`, { phase: "settings" });
}
