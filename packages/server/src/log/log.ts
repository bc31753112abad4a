import { appendFile, mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * `$BENCHTOP_HOME/logs/daemon.log`: one JSON object a line. Callers pass ids, codes, counts and times; prompts, file
 * content and secrets never come here. Writing never blocks or fails the caller: what cannot be written is counted.
 */
export interface Log {
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  close(): Promise<void>;
}

export interface LogOptions {
  readonly home: string;
  /** A file that grew beyond this is set aside as `daemon.log.1`, … */
  readonly maxBytes?: number;
  /** Files set aside that are kept. */
  readonly keep?: number;
}

const maxQueuedCharacters = 1_000_000;

export function openLog({ home, maxBytes = 10_000_000, keep = 4 }: LogOptions): Log {
  const folder = join(home, "logs");
  const path = join(folder, "daemon.log");
  let queued: string[] = [];
  let queuedCharacters = 0;
  let dropped = 0;
  let size: number | undefined;
  let writing: Promise<void> | undefined;

  const write = (level: string, event: string, fields: LogFields = {}): void => {
    const line = `${JSON.stringify({ at: new Date().toISOString(), level, event, ...fields })}\n`;
    if (queuedCharacters + line.length > maxQueuedCharacters) {
      dropped++;
      return;
    }
    queued.push(line);
    queuedCharacters += line.length;
    writing ??= drain();
  };

  const drain = async (): Promise<void> => {
    // Lines of one turn of the event loop become one write.
    await new Promise((resolve) => setImmediate(resolve));
    while (queued.length > 0) {
      const text = queued.join("");
      const lines = queued.length;
      queued = [];
      queuedCharacters = 0;
      try {
        size ??= await openFolder(folder, path);
        if (size > 0 && size + text.length > maxBytes) {
          await rotate(path, keep);
          size = 0;
        }
        await appendFile(path, text, { mode: 0o600 });
        size += Buffer.byteLength(text);
      } catch {
        // A full disk must not stop the daemon; the next line that can be written says how many are missing.
        dropped += lines;
        break;
      }
      if (dropped > 0) {
        const missing = dropped;
        dropped = 0;
        write("warn", "log.lines-dropped", { lines: missing });
      }
    }
    writing = undefined;
  };

  return {
    info: (event, fields) => write("info", event, fields),
    warn: (event, fields) => write("warn", event, fields),
    error: (event, fields) => write("error", event, fields),
    close: async () => {
      await writing;
    },
  };
}

async function openFolder(folder: string, path: string): Promise<number> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw error;
  }
}

async function rotate(path: string, keep: number): Promise<void> {
  await rm(`${path}.${keep}`, { force: true });
  for (let number = keep - 1; number >= 0; number--) {
    const from = number === 0 ? path : `${path}.${number}`;
    try {
      await rename(from, `${path}.${number + 1}`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
}
