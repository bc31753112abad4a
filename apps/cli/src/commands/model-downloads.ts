import { setTimeout as delay } from "node:timers/promises";
import type { LocalModel, ModelDownload } from "@benchtop/operations";
import { BenchtopError, errorCodes, type ErrorCode } from "@benchtop/protocol/errors";
import { type Command, InvalidArgumentError } from "commander";
import { exitCodes, reportFailure } from "../failure.ts";
import type { Invocation } from "../invocation.ts";
import { DownloadBoard, secondsLeft } from "../output/downloads.ts";
import { formatBytes, formatSeconds, printable } from "../output/format.ts";
import { printTable } from "../output/table.ts";
import { addCommand, collect } from "./command.ts";
import { modelSource } from "./model-files.ts";
import { oneOf } from "./names.ts";

/** `models install` and what becomes of it. */
export function addDownloadCommands(models: Command, invocation: Invocation): void {
  addCommand(
    models,
    "install <source>",
    "Install a model from Hugging Face, the Ollama library, a URL, or a GGUF file of this machine.",
    [
      "benchtop models install hf:Qwen/Qwen3-0.6B-GGUF:Q8_0     # one quantization of a repository",
      "benchtop models install ollama:qwen3:0.6b",
      "benchtop models install https://models.example/tiny.gguf --sha256 9f86d0…",
      "benchtop models install ./tiny.gguf --name tiny",
    ],
  )
    .option("--name <name>", "what the model is called here; made from the source when left out")
    .option("--sha256 <hash>", "what the file has to be; taken from the source where it tells", sha256)
    .option("--allow-host <host>", "of a URL: a further host that it may send on to; may be repeated", collect)
    .action((source: string, options: InstallOptions) => install(invocation, source, options));

  addCommand(models, "downloads", "Models that are on their way, and the last ones that came or did not.", [
    "benchtop models downloads --watch",
  ])
    .option("--watch", "until nothing is on its way any more; Ctrl-C leaves, and the downloads go on")
    .action((options: { watch?: boolean }) => downloads(invocation, options.watch ?? false));

  addCommand(models, "pause <download>", "Stop a download and keep what has come.", [
    "benchtop models pause qwen3-0.6b      # by the id, or by the name of the model",
  ]).action((word: string) => change(invocation, "modelDownloads.pause", word));
  addCommand(models, "resume <download>", "Go on with a download that was paused or failed.", [
    "benchtop models resume qwen3-0.6b",
  ]).action((word: string) => change(invocation, "modelDownloads.resume", word));
  addCommand(models, "cancel <download>", "End a download and delete what has come of it.", [
    "benchtop models cancel qwen3-0.6b",
  ]).action((word: string) => change(invocation, "modelDownloads.cancel", word));
}

interface InstallOptions {
  readonly name?: string;
  readonly sha256?: string;
  readonly allowHost?: readonly string[];
}

function sha256(text: string): string {
  const hash = text.toLowerCase().replace(/^sha256:/, "");
  if (!/^[0-9a-f]{64}$/.test(hash)) throw new InvalidArgumentError("A SHA-256 in 64 hexadecimal digits is needed.");
  return hash;
}

async function install(invocation: Invocation, source: string, options: InstallOptions): Promise<void> {
  const { terminal } = invocation;
  invocation.about({ source });
  const client = await invocation.client();
  const { name: called, sha256: hash, allowHost } = options;
  const download = await client.call("localModels.install", {
    source: modelSource(source),
    ...(called !== undefined && { name: called }),
    ...(hash !== undefined && { sha256: hash }),
    ...(allowHost !== undefined && { redirectHosts: [...allowHost] }),
  });
  const { downloadId, name } = download;
  const { last, left } = await followDownload(invocation, download);
  if (left) {
    process.exitCode = exitCodes.interrupted;
    if (invocation.json) return invocation.printJson(last);
    terminal.errorLine(`The download of ${name} goes on. \`benchtop models downloads --watch\` shows it.`);
    return terminal.errorLine(
      `\`benchtop models pause ${downloadId}\` stops it, \`benchtop models cancel ${downloadId}\` ends it.`,
    );
  }
  if (last.state !== "done") {
    reportFailure(notInstalled(last), terminal, invocation.json, { download: downloadId });
    process.exitCode = exitCodes.runtime;
    return;
  }
  if (invocation.json) return invocation.printJson(last);
  const model = await client.call("localModels.get", { name });
  terminal.line(`${terminal.colours.green("✓")} Installed ${model.ref} (${formatBytes(model.bytes)}).`);
  terminal.line(howToUse(model));
}

/** What to type next with a model that has just come; `base` is what an adapter was made for. */
export function howToUse({ name, ref, kind, embeds }: LocalModel, base = "MODEL"): string {
  if (kind === "adapter") return `Load it with its model: \`benchtop models load ${base} --adapter ${name}\`.`;
  return embeds
    ? `Turn text into vectors: \`benchtop models embed "some text" --model ${ref}\`.`
    : `Ask it: \`benchtop chat ${ref}\`.`;
}

/** Until it came, failed, was paused or canceled, or until Ctrl-C: that leaves it to the daemon. */
async function followDownload(
  invocation: Invocation,
  first: ModelDownload,
): Promise<{ readonly last: ModelDownload; readonly left: boolean }> {
  const client = await invocation.client();
  const board = new DownloadBoard(invocation.terminal);
  let last = first;
  try {
    for await (const now of ticks()) {
      if (!invocation.json) board.show([last], now);
      if (!isComing(last)) return { last, left: false };
      const { items } = await client.call("modelDownloads.list", {});
      const found = items.find(({ downloadId }) => downloadId === first.downloadId);
      if (found === undefined)
        throw new BenchtopError("NOT_FOUND", "The daemon knows nothing of this download any more.");
      last = found;
    }
    return { last, left: true };
  } finally {
    board.clear();
  }
}

function notInstalled({ name, state, error, downloadId }: ModelDownload): BenchtopError {
  if (state === "paused") {
    const message = `The download of ${name} was paused. \`benchtop models resume ${downloadId}\` goes on with it.`;
    return new BenchtopError("USER_CANCELED", message, { phase: "settings" });
  }
  if (state === "canceled") {
    return new BenchtopError("USER_CANCELED", `The download of ${name} was canceled.`, { phase: "settings" });
  }
  const code = errorCodes.find((known) => known === error?.code) ?? ("INTERNAL" satisfies ErrorCode);
  return new BenchtopError(code, error?.message ?? `${name} was not installed.`, { phase: "settings" });
}

async function downloads(invocation: Invocation, watch: boolean): Promise<void> {
  const client = await invocation.client();
  if (!watch) {
    const answer = await client.call("modelDownloads.list", {});
    if (invocation.json) return invocation.printJson(answer);
    return printDownloads(invocation, answer.items);
  }
  const board = new DownloadBoard(invocation.terminal);
  let items: readonly ModelDownload[] = [];
  let told = "";
  /** Of those that are listed, the ones that were on their way while somebody watched. */
  const watched = new Set<string>();
  try {
    for await (const now of ticks()) {
      ({ items } = await client.call("modelDownloads.list", {}));
      for (const item of items) if (isComing(item)) watched.add(item.downloadId);
      const shown = items.filter(({ downloadId }) => watched.has(downloadId));
      if (!invocation.json) board.show(shown, now);
      else if (JSON.stringify(items) !== told) invocation.printJson({ items });
      told = JSON.stringify(items);
      if (!items.some(isComing)) break;
    }
  } finally {
    board.clear();
  }
  if (!invocation.json) printDownloads(invocation, items);
}

function printDownloads({ terminal }: Invocation, items: readonly ModelDownload[]): void {
  if (items.length === 0) {
    return terminal.line("No downloads. `benchtop models install --help` shows what can be installed.");
  }
  printTable(terminal, items, [
    { title: "DOWNLOAD", value: ({ downloadId }) => downloadId },
    { title: "MODEL", value: ({ name }) => name },
    {
      title: "STATE",
      value: ({ state }) => state,
      paint: (cell, { state }) => terminal.colours[colourOf(state)](cell),
    },
    {
      title: "CAME",
      align: "right",
      value: ({ bytesDone, bytesTotal }) =>
        bytesTotal === null ? formatBytes(bytesDone) : `${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`,
    },
    {
      title: "RATE",
      align: "right",
      value: ({ bytesPerSecond }) => (bytesPerSecond === null ? "" : `${formatBytes(bytesPerSecond)}/s`),
    },
    {
      title: "LEFT",
      align: "right",
      value: ({ state, bytesDone, bytesTotal, bytesPerSecond }) => {
        const left = state === "running" ? secondsLeft(bytesDone, bytesTotal, bytesPerSecond) : undefined;
        return left === undefined ? "" : formatSeconds(left);
      },
    },
    { title: "FROM", value: ({ source }) => source, shrink: true },
  ]);
  for (const { name, state, error } of items) {
    if (state !== "failed" || error === null) continue;
    terminal.line(`${terminal.colours.red("✗")} ${printable(`${name}: ${error.message} [${error.code}]`)}`);
  }
}

function colourOf(state: ModelDownload["state"]): "green" | "red" | "yellow" | "cyan" {
  if (state === "done") return "green";
  if (state === "failed") return "red";
  return state === "paused" || state === "canceled" ? "yellow" : "cyan";
}

async function change(
  invocation: Invocation,
  operation: "modelDownloads.pause" | "modelDownloads.resume" | "modelDownloads.cancel",
  word: string,
): Promise<void> {
  const client = await invocation.client();
  const { items } = await client.call("modelDownloads.list", {});
  // Two downloads of one name were started one after the other: only the one that is not over is meant.
  const { downloadId } = oneOf(items, "download", word, (item) => [item.downloadId, isOpen(item) ? item.name : null]);
  invocation.about({ download: downloadId });
  const download = await client.call(operation, { downloadId });
  if (invocation.json) return invocation.printJson(download);
  const { name, bytesDone } = download;
  const said = {
    "modelDownloads.pause": `Paused ${name}; ${formatBytes(bytesDone)} are kept. \`benchtop models resume ${downloadId}\` goes on.`,
    "modelDownloads.resume": `${name} is on its way again. \`benchtop models downloads --watch\` shows it.`,
    "modelDownloads.cancel": `Canceled ${name}, and deleted what had come of it.`,
  };
  invocation.terminal.line(printable(said[operation]));
}

function isComing({ state }: ModelDownload): boolean {
  return state === "queued" || state === "running" || state === "verifying";
}

/** Can still become a model. */
function isOpen(download: ModelDownload): boolean {
  return isComing(download) || download.state === "paused" || download.state === "failed";
}

/** The time, a few times a second, sooner at first: a file of this machine is there at once. Ends with Ctrl-C. */
async function* ticks(): AsyncGenerator<number> {
  const leaving = new AbortController();
  const leave = (): void => leaving.abort();
  process.on("SIGINT", leave);
  process.on("SIGTERM", leave);
  try {
    for (let waitMs = 50; !leaving.signal.aborted; waitMs = Math.min(500, waitMs * 2)) {
      yield Date.now();
      await delay(waitMs, undefined, { signal: leaving.signal }).catch(() => undefined);
    }
  } finally {
    process.off("SIGINT", leave);
    process.off("SIGTERM", leave);
  }
}
