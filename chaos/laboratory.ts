import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nameOf, type Attempt } from "./attempt.ts";
import { examine } from "./examine.ts";
import { fsyncOrderViolations } from "./fsync-order.ts";
import { startUp } from "./product.ts";
import { placesOf, type Acknowledgement, type Facts, type Scenario } from "./scenario.ts";
import { boundariesOf, readCalls, runNode, shimEnvironment, type Blow, type Boundary, type Ended } from "./shim.ts";

const child = join(import.meta.dirname, "child.ts");

/** A scenario with its prepared home and the boundaries that one whole run of it crossed. */
export interface Prepared {
  readonly scenario: Scenario;
  readonly home: string;
  readonly facts: Facts;
  readonly boundaries: readonly Boundary[];
  /** The same with every write and every new file counted: the places where a disk can fail. */
  readonly faults: readonly Boundary[];
  /** How long a whole run takes, in milliseconds. */
  readonly durationMs: number;
}

export interface Outcome {
  readonly name: string;
  /** The call at which the blow fell; undefined when the process ended before. */
  readonly boundary: Boundary | undefined;
  readonly violations: readonly string[];
  /** Where the home lies, when it was kept. */
  readonly kept: string | undefined;
}

/** Makes homes, deals blows to processes that work on copies of them, and examines what is left. */
export class Laboratory {
  readonly root: string;
  readonly #shim: string;
  readonly #keep: boolean;
  #next = 0;

  constructor(options: { readonly root: string; readonly shim: string; readonly keep: boolean }) {
    this.root = options.root;
    this.#shim = options.shim;
    this.#keep = options.keep;
  }

  async prepare(scenario: Scenario): Promise<{ prepared: Prepared; violations: string[] }> {
    const home = join(this.root, `${scenario.name}-prepared`);
    mkdirSync(home, { recursive: true });
    const facts = await scenario.prepare(home);
    const draft: Prepared = { scenario, home, facts, boundaries: [], faults: [], durationMs: 0 };
    const narrow = await this.#whole(draft, false);
    const wide = await this.#whole(draft, true);
    const prepared = {
      ...draft,
      boundaries: narrow.boundaries,
      faults: wide.boundaries,
      durationMs: narrow.durationMs,
    };
    return { prepared, violations: [...narrow.violations, ...narrow.order] };
  }

  /** Deals one attempt's blows to a copy of the prepared home. */
  async attempt(prepared: Prepared, attempt: Attempt): Promise<Outcome> {
    const folder = this.#copy(prepared.home);
    const acted = await this.#act(prepared, folder, attempt.blow, attempt.blow.kind === "fail");
    if (attempt.second) await this.#recover(folder, attempt.second);
    const struck = attempt.second ? "recover" : "act";
    const at = attempt.second ?? attempt.blow;
    const boundary =
      at.kind === "none"
        ? undefined
        : boundariesOf(readCalls(join(folder, `${struck}.log`))).find(({ n }) => n === at.at);
    const violations = await this.#examine(prepared, folder, acted, attempt.blow);
    if (violations.length === 0 && attempt.blow.kind === "fail" && refused(acted))
      violations.push(...(await this.#again(prepared, folder)));
    return { name: nameOf(attempt), boundary, violations, kept: this.#dispose(folder, violations.length > 0) };
  }

  /** Kills a whole run after a number of milliseconds. */
  async killAfter(prepared: Prepared, killAfterMs: number, name: string): Promise<Outcome> {
    const folder = this.#copy(prepared.home);
    const ended = await runNode(
      [child, "act", prepared.scenario.name, join(folder, "home"), JSON.stringify(prepared.facts)],
      { CHAOS_HOME: join(folder, "home") },
      { killAfterMs },
    );
    const violations = await this.#examine(prepared, folder, ended, { kind: "kill", at: 0, when: "after" });
    return { name, boundary: undefined, violations, kept: this.#dispose(folder, violations.length > 0) };
  }

  /** How many boundaries the recovery from a first blow crosses. */
  async recoveryBoundaries(prepared: Prepared, first: Blow): Promise<Boundary[]> {
    const folder = this.#copy(prepared.home);
    await this.#act(prepared, folder, first, false);
    await this.#recover(folder, { kind: "none" });
    const boundaries = boundariesOf(readCalls(join(folder, "recover.log")));
    this.#dispose(folder, false);
    return boundaries;
  }

  async #whole(prepared: Prepared, wide: boolean) {
    const folder = this.#copy(prepared.home);
    const started = performance.now();
    const acted = await this.#act(prepared, folder, { kind: "none" }, wide);
    const durationMs = performance.now() - started;
    const calls = readCalls(join(folder, "act.log"));
    const violations = await this.#examine(prepared, folder, acted, { kind: "none" });
    this.#dispose(folder, violations.length > 0);
    return { boundaries: boundariesOf(calls), violations, durationMs, order: fsyncOrderViolations(calls) };
  }

  #act(prepared: Prepared, folder: string, blow: Blow, wide: boolean): Promise<Ended> {
    const home = join(folder, "home");
    const places = placesOf(home);
    const environment = shimEnvironment({
      shim: this.#shim,
      home,
      ...(existsSync(places) && { also: places }),
      log: join(folder, "act.log"),
      blow,
      wide,
    });
    return runNode([child, "act", prepared.scenario.name, home, JSON.stringify(prepared.facts)], environment);
  }

  #recover(folder: string, blow: Blow): Promise<Ended> {
    const home = join(folder, "home");
    const log = join(folder, "recover.log");
    return runNode([child, "recover", home], shimEnvironment({ shim: this.#shim, home, log, blow }));
  }

  async #examine(prepared: Prepared, folder: string, ended: Ended, blow: Blow): Promise<string[]> {
    const killed = ended.signal === "SIGKILL";
    const crashed =
      !killed && ended.code !== 0
        ? [`the process ended with ${ended.signal ?? ended.code}: ${tail(ended.stderr)}`]
        : [];
    const { scenario, facts } = prepared;
    try {
      const lostPower = blow.kind === "kill" && blow.power !== undefined;
      const said = ended.lines.map((line) => JSON.parse(line) as Acknowledgement);
      const home = join(folder, "home");
      return [...crashed, ...(await examine({ scenario, facts, home, said, finished: !killed, lostPower }))];
    } catch (error) {
      return [
        ...crashed,
        `start-up after it failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      ];
    }
  }

  async #again({ scenario, facts }: Prepared, folder: string): Promise<string[]> {
    if (!scenario.again) return [];
    const home = join(folder, "home");
    try {
      await using product = await startUp(home);
      return await scenario.again(product, home, facts);
    } catch (error) {
      return [`refused again, with nothing in the way: ${error instanceof Error ? error.message : String(error)}`];
    }
  }

  #copy(home: string): string {
    const folder = join(this.root, String(this.#next++));
    const copy = join(folder, "home");
    cpSync(home, copy, asItIs);
    if (existsSync(placesOf(home))) cpSync(placesOf(home), placesOf(copy), asItIs);
    return folder;
  }

  #dispose(folder: string, failed: boolean): string | undefined {
    if (failed && this.#keep) return folder;
    rmSync(folder, { recursive: true, force: true });
    return undefined;
  }
}

const asItIs = { recursive: true, preserveTimestamps: true, verbatimSymlinks: true } as const;

/** Whether the work itself was refused, and not only, say, the closing after it. */
function refused({ lines }: Ended): boolean {
  const said = lines.map((line) => JSON.parse(line) as Acknowledgement);
  return said.some((item) => item.kind === "failed" && item.what !== "close");
}

/** In memory where there is a file system in memory: a killed process loses nothing of it either, and it is fast. */
export function temporaryRoot(): string {
  const base = process.env["CHAOS_DIR"] ?? (existsSync("/dev/shm") ? "/dev/shm" : tmpdir());
  return mkdtempSync(join(base, "benchtop-chaos-"));
}

const tail = (text: string): string => text.trim().split("\n").slice(-8).join(" | ");
