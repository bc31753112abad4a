import { formatDuration } from "./format.ts";
import type { Terminal } from "./terminal.ts";

/** Shows that work goes on: drawn over on a terminal after 300 ms, and nothing at all elsewhere. */
export interface Progress {
  update(done: number, total: number): void;
  label(text: string): void;
  /** Clears the line. */
  end(): void;
}

export function startProgress(terminal: Terminal, label: string): Progress {
  if (!terminal.isErrorTty) return { update: nothing, label: nothing, end: nothing };
  const started = Date.now();
  let text = label;
  let counts: { done: number; total: number } | undefined;
  let drawn = false;
  const draw = () => {
    const elapsed = Date.now() - started;
    if (elapsed < 300) return;
    drawn = true;
    const bar = counts === undefined ? "" : ` ${barOf(counts.done, counts.total)} ${counts.done}/${counts.total}`;
    terminal.writeError(`\r\u001B[K${text}${bar} ${terminal.errorColours.dim(formatDuration(elapsed))}`);
  };
  const timer = setInterval(draw, 100);
  timer.unref();
  return {
    update(done, total) {
      counts = { done, total };
    },
    label(next) {
      text = next;
      counts = undefined;
    },
    end() {
      clearInterval(timer);
      if (drawn) terminal.writeError("\r\u001B[K");
    },
  };
}

/** Runs `work` with progress shown around it, whatever its outcome. */
export async function withProgress<Result>(
  terminal: Terminal,
  label: string,
  work: (progress: Progress) => Promise<Result>,
): Promise<Result> {
  const progress = startProgress(terminal, label);
  try {
    return await work(progress);
  } finally {
    progress.end();
  }
}

export function barOf(done: number, total: number, width = 24): string {
  const filled = total === 0 ? width : Math.min(width, Math.round((done / total) * width));
  return `${"█".repeat(filled)}${"░".repeat(width - filled)}`;
}

function nothing(): void {
  // Not a terminal: there is nothing to draw over.
}
