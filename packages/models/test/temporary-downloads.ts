import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EgressRecord } from "@benchtop/egress";
import { downloadGate, type DownloadGate, type DownloadGateOptions } from "../src/downloads/download-gate.ts";
import { ModelDownloads, type ModelDownloadsOptions } from "../src/downloads/downloads.ts";
import type { Download } from "../src/downloads/download.ts";
import { startModelFileServer, type ModelFileServer } from "./model-file-server.ts";
import { TemporaryRegistry } from "./temporary-registry.ts";

/** Small, so that a file of some 100 kB is fetched as one of some gigabytes would be. */
export const smallLimits = { segmentBytes: 16 * 1024, saveBytes: 8 * 1024, parallel: 4, retries: 3, retryDelayMs: 5 };

type Options = Partial<ModelDownloadsOptions> & {
  readonly gateOptions?: (server: ModelFileServer) => Partial<DownloadGateOptions>;
};

/** A queue with a registry and a server of its own; the server stands for Hugging Face, Ollama's registry and any other. */
export class TemporaryDownloads {
  readonly place: TemporaryRegistry;
  readonly server: ModelFileServer;
  readonly records: EgressRecord[] = [];
  gate!: DownloadGate;
  downloads!: ModelDownloads;
  readonly #options: Options;

  static async open(options: Options = {}): Promise<TemporaryDownloads> {
    const made = new TemporaryDownloads(await TemporaryRegistry.open(), await startModelFileServer(), options);
    await made.open();
    return made;
  }

  private constructor(place: TemporaryRegistry, server: ModelFileServer, options: Options) {
    this.place = place;
    this.server = server;
    this.#options = options;
  }

  get registry() {
    return this.place.registry;
  }

  async open(): Promise<void> {
    const { gateOptions, ...options } = this.#options;
    this.gate = downloadGate({
      huggingFace: { baseUrl: this.server.url },
      ollama: { baseUrl: this.server.url },
      loopbackUrls: true,
      record: (event) => this.records.push(event),
      ...gateOptions?.(this.server),
    });
    this.downloads = await ModelDownloads.open({
      store: this.place.store,
      registry: this.place.registry,
      gate: this.gate,
      limits: smallLimits,
      ...options,
    });
  }

  async close(): Promise<void> {
    await this.downloads.close();
    await this.gate.close();
  }

  async restart(meanwhile?: () => Promise<void>): Promise<void> {
    await this.close();
    await this.place.restart(meanwhile);
    await this.open();
  }

  async remove(): Promise<void> {
    await this.close();
    await this.server.close();
    await this.place.remove();
  }

  /** Queues the file at a path of the server, and waits for its end. */
  async fetch(path: string, options: Parameters<ModelDownloads["start"]>[1] = {}): Promise<Download> {
    const { id } = await this.downloads.start({ type: "url", url: `${this.server.url}${path}` }, options, timeLimit());
    return this.downloads.ended(id, timeLimit());
  }

  onDisk(name: string, content: Buffer): string {
    mkdirSync(this.place.folder, { recursive: true });
    const path = join(this.place.folder, name);
    writeFileSync(path, content);
    return path;
  }
}

/** No test waits longer for a download. */
export function timeLimit(): AbortSignal {
  return AbortSignal.timeout(20_000);
}
