import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium, type BrowserContext, type Page } from "playwright-core";
import { createClient, type Client } from "../../packages/client/src/index.ts";
import type { Role } from "../../packages/operations/src/index.ts";
import { startModelServer, type ModelServer, type ModelServerOptions } from "../model-server.ts";

const root = resolve(import.meta.dirname, "../..");
const chromiumPath = "/usr/bin/chromium";
/** Where there is no browser the suite says so by its name instead of failing. */
export const hasBrowser = existsSync(chromiumPath);

export interface BenchOptions {
  readonly model?: ModelServerOptions;
  /** Puts things into the home before the daemon starts. */
  readonly prepare?: (home: string) => Promise<void>;
  /** `config.json` of the daemon. */
  readonly config?: object;
  /** Where it has to be known before the daemon starts. */
  readonly port?: number;
}

/** A person at a fresh machine: an empty home with a real daemon, a model server on loopback, and a real browser. */
export class Bench implements AsyncDisposable {
  readonly client: Client;
  /** Addresses outside of the daemon that any page asked for. Must stay empty. */
  readonly strayRequests: string[] = [];
  /** What the pages complained about: script errors and violations of the content security policy. */
  readonly complaints: string[] = [];

  readonly folder: string;
  readonly url: string;
  readonly token: string;
  readonly model: ModelServer;
  readonly #stop: () => Promise<void>;

  private constructor(
    folder: string,
    daemon: { readonly url: string; readonly token: string },
    model: ModelServer,
    stop: () => Promise<void>,
  ) {
    this.folder = folder;
    this.url = daemon.url;
    this.token = daemon.token;
    this.model = model;
    this.#stop = stop;
    this.client = createClient(daemon);
  }

  static async start(options: BenchOptions = {}): Promise<Bench> {
    const folder = await mkdtemp(join(tmpdir(), "benchtop-browser-"));
    const home = join(folder, "home");
    await mkdir(join(folder, "user"));
    await mkdir(join(folder, "files"));
    await options.prepare?.(home);
    if (options.config !== undefined) {
      await mkdir(home, { recursive: true, mode: 0o700 });
      await writeFile(join(home, "config.json"), JSON.stringify(options.config));
    }
    const model = await startModelServer(options.model);
    const daemon = spawn(process.execPath, [join(root, "apps/cli/src/main.ts"), "up", "--json", "--no-open"], {
      env: {
        PATH: process.env["PATH"],
        HOME: join(folder, "user"),
        XDG_CONFIG_HOME: join(folder, "config"),
        BENCHTOP_HOME: home,
        BENCHTOP_PORT: String(options.port ?? 0),
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(createInterface(daemon.stdout), "line")) as [string];
    const ready = JSON.parse(line) as { url: string; token: string };
    return new Bench(folder, ready, model, async () => {
      daemon.kill("SIGTERM");
      if (daemon.exitCode === null) await once(daemon, "exit");
      await model.close();
      await rm(folder, { recursive: true, force: true });
    });
  }

  /** A browser of its own, with a profile of its own, in which nobody is signed in. */
  async browser(
    options: { readonly dark?: boolean; readonly width?: number; readonly height?: number } = {},
  ): Promise<Page & AsyncDisposable> {
    const { dark = false, width = 1440, height = 900 } = options;
    const context = await chromium.launchPersistentContext(await mkdtemp(join(this.folder, "profile-")), {
      executablePath: chromiumPath,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
      viewport: { width, height },
      colorScheme: dark ? "dark" : "light",
      reducedMotion: "reduce",
    });
    this.#watch(context);
    const page = context.pages()[0] ?? (await context.newPage());
    return Object.assign(page, { [Symbol.asyncDispose]: () => context.close() });
  }

  /** Opens an address that signs in once, as `benchtop up` prints it. */
  async signIn(page: Page): Promise<void> {
    const { url } = await this.client.call("signIn.createLink", {});
    await page.goto(url);
    await page.getByRole("navigation", { name: "Sections" }).first().waitFor();
  }

  /** An address that makes whoever opens it a member of the default workspace. */
  async invite(role: Role): Promise<string> {
    return (await this.client.call("invitations.create", { role })).url;
  }

  /** Opens an invitation and takes it. */
  async join(page: Page, name: string, role: Role): Promise<void> {
    await page.goto(await this.invite(role));
    await page.getByLabel("Your name").fill(name);
    await page.getByRole("button", { name: "Join", exact: true }).click();
    await page.getByRole("navigation", { name: "Sections" }).first().waitFor();
  }

  async addLocalProvider(): Promise<void> {
    await this.client.call("providers.add", {
      name: "local",
      kind: "openai-chat",
      baseUrl: this.model.url,
      local: true,
    });
  }

  /** A workbench with these files. */
  async workbench(name: string, files: Readonly<Record<string, string>>): Promise<string> {
    const { workbenchId } = await this.client.call("workbenches.create", { name });
    const uploads = await Promise.all(
      Object.entries(files).map(async ([path, text]) => ({
        path,
        sha256: (await this.client.upload(new Blob([text]))).sha256,
      })),
    );
    if (uploads.length > 0) await this.client.call("files.add", { workbenchId, uploads });
    return workbenchId;
  }

  /** Asks the agent and waits until it is done. */
  async ask(workbenchId: string, task: string): Promise<string> {
    const { runId } = await this.client.call("workshop.runAgent", { workbenchId, task, model: "local/gpt-5.2" });
    for await (const event of this.client.follow(runId)) {
      if (event.type === "Error") throw new Error(event.error.message);
    }
    return runId;
  }

  /** Files on disk, as a person would drop them. */
  async files(files: Readonly<Record<string, string>>): Promise<string[]> {
    const paths: string[] = [];
    for (const [name, text] of Object.entries(files)) {
      const path = join(this.folder, "files", name);
      await writeFile(path, text);
      paths.push(path);
    }
    return paths;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }

  #watch(context: BrowserContext): void {
    context.on("request", (request) => {
      const { origin, protocol } = new URL(request.url());
      if (origin !== this.url && protocol !== "data:" && protocol !== "blob:") this.strayRequests.push(request.url());
    });
    context.on("weberror", (error) => this.complaints.push(String(error.error())));
    context.on("console", (message) => {
      if (/content security policy/i.test(message.text())) this.complaints.push(message.text());
    });
  }
}

export const budget = {
  "notes.md": "# Budget notes\n\nRent is 1200, food is 450 and travel is 300.\n\nTotal: 1850\n",
  "data.csv": "item,amount\nrent,1200\nfood,450\ntravel,300\ntotal,1900\n",
};
export const task = "make the totals consistent and add a summary.md";

/** Rules of WCAG 2 A and AA that the page breaks, in words; of these rules alone, where some are named. */
export async function violations(page: Page, rules?: readonly string[]): Promise<string[]> {
  const axe = new AxeBuilder({ page });
  const { violations: found } = await (
    rules === undefined ? axe.withTags(["wcag2a", "wcag2aa", "wcag21aa"]) : axe.withRules([...rules])
  ).analyze();
  return found.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html.slice(0, 160)} (${node.any.map(({ message }) => message).join("; ")})`),
  );
}
