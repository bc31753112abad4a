import type { Client } from "@benchtop/client";
import { readCredentials } from "./daemon/credentials.ts";
import { chosenDaemon, findDaemon, givenToken, homeFolder, type FoundDaemon } from "./daemon/find.ts";
import { trustFor } from "./daemon/trust.ts";
import type { Subject } from "./next-steps.ts";
import { withProgress } from "./output/progress.ts";
import { openTerminal, type Terminal } from "./output/terminal.ts";

/** What one call of the command line shares: where it writes, whom it talks to, and what it is about. */
export class Invocation {
  readonly json: boolean;
  readonly terminal: Terminal;
  readonly home: string;
  subject: Subject = {};
  #workspace: string | undefined;
  #daemon: Promise<FoundDaemon> | undefined;
  #client: Promise<Client> | undefined;

  constructor(json: boolean) {
    this.json = json;
    this.terminal = openTerminal({ json });
    this.home = homeFolder();
  }

  /** Names what a failure would be about, so that the next step can be typed as it stands. */
  about(subject: Subject): void {
    this.subject = { ...this.subject, ...subject };
  }

  /** `--workspace`: the name or id of the workspace to work in, for this call alone. */
  workIn(workspace: string): void {
    this.#workspace = workspace;
  }

  /** The workspace that was asked for, by name or id: `--workspace`, else `BENCHTOP_WORKSPACE`. */
  get askedWorkspace(): string | undefined {
    return this.#workspace ?? (process.env["BENCHTOP_WORKSPACE"] || undefined);
  }

  /** True when the daemon is on this machine and may read this machine's files for us. */
  get isLocal(): boolean {
    return chosenDaemon() === undefined && givenToken() === undefined;
  }

  /** The client of the daemon, in the workspace that was asked for or chosen; starts one when none runs here. */
  client(): Promise<Client> {
    this.#client ??= this.#connect();
    return this.#client;
  }

  /** The client of the same daemon in another workspace; in the identity's own when none is named. */
  async clientIn(workspaceId: string | undefined): Promise<Client> {
    const [{ createClient }, { url, token }] = await Promise.all([import("@benchtop/client"), this.daemon()]);
    return createClient({ url, token, workspace: workspaceId });
  }

  /** The daemon that commands talk to; starts one when none runs here. */
  daemon(): Promise<FoundDaemon> {
    this.#daemon ??= this.#find();
    return this.#daemon;
  }

  /** The same looked for again: it may have been started anew at another address. */
  daemonAgain(): Promise<FoundDaemon> {
    this.#daemon = undefined;
    return this.daemon();
  }

  /** The one JSON value of a `--json` command. */
  printJson(value: unknown): void {
    this.terminal.line(JSON.stringify(value));
  }

  /** The id of the workspace that was asked for or chosen; undefined for the identity's own. */
  async workspaceId(): Promise<string | undefined> {
    const asked = this.askedWorkspace;
    if (asked === undefined) return this.#chosenWorkspace();
    if (workspaceId.test(asked)) return asked;
    const { findWorkspace } = await import("./workspace.ts");
    return (await findWorkspace(await this.clientIn(undefined), asked)).workspaceId;
  }

  async #connect(): Promise<Client> {
    return await this.clientIn(await this.workspaceId());
  }

  #chosenWorkspace(): string | undefined {
    const chosen = chosenDaemon();
    if (chosen !== undefined) return chosen.workspace?.id;
    // Another token than the home's own may know nothing of the workspace that was chosen for that one.
    if (givenToken() !== undefined) return undefined;
    const { homes } = readCredentials();
    return Object.hasOwn(homes, this.home) ? homes[this.home]?.workspace.id : undefined;
  }

  async #find(): Promise<FoundDaemon> {
    const chosen = chosenDaemon();
    if (chosen !== undefined) {
      await trustFor(chosen.url);
      return chosen;
    }
    const found = (await findDaemon(this.home)) ?? (await this.#start());
    return { ...found, token: givenToken() ?? found.token };
  }

  async #start(): Promise<FoundDaemon> {
    const { startDetached } = await import("./daemon/start.ts");
    const started = await withProgress(this.terminal, "Starting the daemon", () => startDetached(this.home));
    const { dim } = this.terminal.errorColours;
    if (!this.json)
      this.terminal.errorLine(dim(`Started the daemon (pid ${started.pid}); \`benchtop down\` stops it.`));
    return started;
  }
}

/** What can be no name: it is asked for as it stands, and the daemon says whether there is such a workspace. */
const workspaceId = /^(?:default|ws_[0-9a-z]{26})$/;
