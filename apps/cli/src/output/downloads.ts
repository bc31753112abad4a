import type { ModelDownload } from "@benchtop/operations";
import { formatBytes, formatSeconds, printable } from "./format.ts";
import { barOf } from "./progress.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Downloads as they come, on standard error: on a terminal a line with a bar for each, drawn over; elsewhere a line for
 * each when its state changes, and every ten seconds while bytes come.
 */
export class DownloadBoard {
  readonly #terminal: Terminal;
  readonly #told = new Map<string, { readonly state: ModelDownload["state"]; readonly at: number }>();
  #drawn = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(downloads: readonly ModelDownload[], now: number): void {
    if (this.#terminal.isErrorTty) return this.#draw(downloads);
    for (const download of downloads) this.#tell(download, now);
  }

  /** Takes what was drawn off the terminal. */
  clear(): void {
    if (this.#drawn > 0) this.#terminal.writeError(`\r\u001B[${this.#drawn}A\u001B[J`);
    this.#drawn = 0;
  }

  #draw(downloads: readonly ModelDownload[]): void {
    const lines = downloads.map((download) => `${barLine(download, this.#terminal.width)}\u001B[K\n`);
    const back = this.#drawn > 0 ? `\r\u001B[${this.#drawn}A` : "";
    this.#terminal.writeError(`${back}${lines.join("")}${lines.length < this.#drawn ? "\u001B[J" : ""}`);
    this.#drawn = lines.length;
  }

  #tell(download: ModelDownload, now: number): void {
    const { downloadId, name, state } = download;
    const told = this.#told.get(downloadId);
    if (told?.state === state && (state !== "running" || now - told.at < tellEveryMs)) return;
    this.#told.set(downloadId, { state, at: now });
    this.#terminal.errorLine([printable(name), ...factsOf(download)].join(" · "));
  }
}

const tellEveryMs = 10_000;

/** Cut rather than wrapped: a line of two rows could not be drawn over. */
function barLine(download: ModelDownload, width: number): string {
  const { name, bytesDone, bytesTotal } = download;
  const shown = printable(name);
  const label = shown.length > 28 ? `${shown.slice(0, 27)}…` : shown;
  const bar = bytesTotal === null ? "" : ` ${barOf(bytesDone, bytesTotal, width < 100 ? 12 : 24)}`;
  return `${label}${bar} ${factsOf(download).join(" · ")}`.slice(0, Math.max(20, Math.min(width, 160) - 1));
}

function factsOf({ state, bytesDone, bytesTotal, bytesPerSecond, error }: ModelDownload): string[] {
  const share = shareOf(bytesDone, bytesTotal);
  const amount =
    bytesTotal === null ? formatBytes(bytesDone) : `${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`;
  const rate = bytesPerSecond === null || bytesPerSecond === 0 ? [] : [`${formatBytes(bytesPerSecond)}/s`];
  const left = secondsLeft(bytesDone, bytesTotal, bytesPerSecond);
  switch (state) {
    case "queued":
      return ["waits for its turn"];
    case "running":
      return [...share, amount, ...rate, ...(left === undefined ? [] : [`${formatSeconds(left)} left`])];
    case "paused":
      return ["paused", ...share, amount];
    case "verifying":
      return ["is checked", ...(bytesTotal === null ? [] : [formatBytes(bytesTotal)])];
    case "failed":
      return [`failed: ${printable(error?.message ?? "no reason was given")}`];
    case "done":
      return ["installed", formatBytes(bytesTotal ?? bytesDone)];
    case "canceled":
      return ["canceled"];
    default:
      // A state of a newer version of the daemon.
      return [printable(state)];
  }
}

function shareOf(done: number, total: number | null): string[] {
  return total === null || total === 0 ? [] : [`${Math.floor((done / total) * 100)} %`];
}

/** Undefined while nobody can say, and where there is nothing left to wait for. */
export function secondsLeft(done: number, total: number | null, perSecond: number | null): number | undefined {
  if (total === null || perSecond === null || perSecond <= 0) return undefined;
  const seconds = Math.round((total - done) / perSecond);
  return seconds > 0 ? seconds : undefined;
}
