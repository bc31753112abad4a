import { spawn, type ChildProcessByStdio } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Readable, Writable } from "node:stream";
import { createClient, type Client } from "../../packages/client/src/index.ts";
import type { ProviderKind } from "../../packages/operations/src/index.ts";
import type { RunEvent } from "../../packages/protocol/src/index.ts";

const main = resolve(import.meta.dirname, "../../apps/cli/src/main.ts");

/** What one command printed, and how it ended. */
export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as one JSON value. */
  readonly json: unknown;
  /** Standard output as JSON Lines: the events of a run. */
  events(): RunEvent[];
  /** The error that `--json` puts on standard error. */
  error(): { readonly message: string; readonly error_code: string; readonly actions: readonly string[] };
}

export type Running = ChildProcessByStdio<Writable, Readable, Readable>;

/** A person's machine: an empty `BENCHTOP_HOME`, a folder with files, and the command line as it is installed. */
export class Home implements AsyncDisposable {
  readonly folder: string;
  readonly home: string;
  readonly files: string;
  readonly env: NodeJS.ProcessEnv;

  private constructor(folder: string) {
    this.folder = folder;
    this.home = join(folder, "home");
    this.files = join(folder, "files");
    const { PATH } = process.env;
    this.env = {
      PATH,
      HOME: join(folder, "user"),
      XDG_CONFIG_HOME: join(folder, "config"),
      BENCHTOP_HOME: this.home,
      BENCHTOP_PORT: "0",
      MODEL_KEY: "sk-loopback",
      // As the installed command does, so that hundreds of starts do not compile the same modules again.
      NODE_COMPILE_CACHE: resolve(import.meta.dirname, "../../node_modules/.cache/compiled"),
    };
  }

  static async create(): Promise<Home> {
    const home = new Home(await mkdtemp(join(tmpdir(), "benchtop-e2e-")));
    await mkdir(join(home.folder, "user"));
    await mkdir(home.files);
    return home;
  }

  /** Writes files into the folder that commands run in. */
  async write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(this.files, path)), { recursive: true });
      await writeFile(join(this.files, path), content);
    }
  }

  /** What an operator sets, before the daemon starts. */
  async configure(config: object): Promise<void> {
    await mkdir(this.home, { recursive: true, mode: 0o700 });
    await writeFile(join(this.home, "config.json"), JSON.stringify(config));
  }

  /** Starts a command and leaves it running. */
  start(words: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
    return spawn(process.execPath, [main, ...words], {
      cwd: this.files,
      env: { ...this.env, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
  }

  /** Runs a command to its end. Standard input is empty: nothing can be answered. */
  async run(words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Result> {
    const child = this.start(words, env);
    child.stdin.end();
    return finished(child);
  }

  /** Runs a command that must succeed. */
  async ok(...words: string[]): Promise<Result> {
    const result = await this.run(words);
    if (result.code !== 0) throw new Error(`benchtop ${words.join(" ")} → ${result.code}\n${result.stderr}`);
    return result;
  }

  /** Adds a provider on loopback with the key that `test/model-server.ts` is started with. */
  async addProvider(url: string, kind: ProviderKind = "openai-chat"): Promise<void> {
    await this.ok(
      "providers",
      "add",
      "local",
      "--kind",
      kind,
      "--base-url",
      url,
      "--api-key-env",
      "MODEL_KEY",
      "--local",
    );
  }

  /** Pid of the daemon of this home; the file says so. */
  get pid(): number {
    return (JSON.parse(readFileSync(join(this.home, "daemon.json"), "utf8")) as { pid: number }).pid;
  }

  async client(): Promise<Client> {
    const { url } = JSON.parse(await readFile(join(this.home, "daemon.json"), "utf8")) as { url: string };
    const token = (await readFile(join(this.home, "bootstrap-token"), "utf8")).trim();
    return createClient({ url, token });
  }

  /** Paths and content below the published folder of the only workbench. */
  async published(): Promise<Record<string, string>> {
    const id = (await readdir(join(this.home, "workbenches"))).find((name) => name.startsWith("wb_"));
    const root = join(this.home, "workbenches", String(id), "published");
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    const content: Record<string, string> = {};
    for (const entry of entries.filter((entry) => entry.isFile())) {
      const path = join(entry.parentPath, entry.name);
      content[path.slice(root.length + 1)] = await readFile(path, "utf8");
    }
    return content;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (existsSync(join(this.home, "daemon.json"))) await this.run(["down"]);
    await rm(this.folder, { recursive: true, force: true });
  }
}

export async function finished(child: Running): Promise<Result> {
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  const code = await new Promise<number>((done, fail) => {
    child.once("error", fail);
    child.once("close", (code, signal) => done(code ?? (signal === null ? 1 : 128)));
  });
  return {
    code,
    stdout,
    stderr,
    get json(): unknown {
      return JSON.parse(stdout);
    },
    events: () =>
      stdout
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as RunEvent),
    error: () => {
      const line = stderr.split("\n").find((line) => line.startsWith('{"error"'));
      if (line === undefined) throw new Error(`no JSON error in: ${stderr}`);
      return (JSON.parse(line) as { error: ReturnType<Result["error"]> }).error;
    },
  };
}

/** Resolves once the command's standard output holds a text. */
export function prints(child: Running, text: string | RegExp): Promise<string> {
  let seen = "";
  return new Promise((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      seen += chunk;
      if (typeof text === "string" ? seen.includes(text) : text.test(seen)) resolve(seen);
    });
    child.once("close", () => reject(new Error(`ended before it printed ${String(text)}: ${seen}`)));
  });
}
