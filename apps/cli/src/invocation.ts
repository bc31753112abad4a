import type { Client } from "@benchtop/client";
import { findDaemon, homeFolder, namedDaemon, type FoundDaemon } from "./daemon/find.ts";
import type { Subject } from "./next-steps.ts";
import { withProgress } from "./output/progress.ts";
import { openTerminal, type Terminal } from "./output/terminal.ts";

/** What one call of the command line shares: where it writes, whom it talks to, and what it is about. */
export class Invocation {
  readonly json: boolean;
  readonly terminal: Terminal;
  readonly home: string;
  subject: Subject = {};
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

  /** True when the daemon is on this machine and reads this machine's files. */
  get isLocal(): boolean {
    return namedDaemon() === undefined;
  }

  /** The client of the daemon; starts one when none runs here. */
  client(): Promise<Client> {
    this.#client ??= this.#connect();
    return this.#client;
  }

  /** The one JSON value of a `--json` command. */
  printJson(value: unknown): void {
    this.terminal.line(JSON.stringify(value));
  }

  async #connect(): Promise<Client> {
    const [{ createClient }, daemon] = await Promise.all([import("@benchtop/client"), this.#daemon()]);
    return createClient({ url: daemon.url, token: daemon.token });
  }

  async #daemon(): Promise<FoundDaemon> {
    const found = namedDaemon() ?? (await findDaemon(this.home));
    if (found !== undefined) return found;
    const { startDetached } = await import("./daemon/start.ts");
    const started = await withProgress(this.terminal, "Starting the daemon", () => startDetached(this.home));
    const { dim } = this.terminal.errorColours;
    if (!this.json)
      this.terminal.errorLine(dim(`Started the daemon (pid ${started.pid}); \`benchtop down\` stops it.`));
    return started;
  }
}
