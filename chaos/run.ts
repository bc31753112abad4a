/**
 * `npm run chaos`: kills Benchtop's processes at every durable call, fails calls one by one, kills at random instants,
 * and checks after each that start-up makes it whole. `docs/reliability.md` says what that proves.
 */
import { mkdirSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { nameOf, parseName, type Attempt } from "./attempt.ts";
import { daemonChaos } from "./daemon.ts";
import { Laboratory, temporaryRoot, type Outcome, type Prepared } from "./laboratory.ts";
import { evenly, randomFrom, readOptions, type Options } from "./options.ts";
import { plan, type Group } from "./plan.ts";
import { Report } from "./report.ts";
import { scenarios } from "./scenarios/index.ts";
import { buildShim } from "./shim.ts";

/** How long each part may take in CI; with preparing, about 4 minutes on 2 cores. */
const ciMs = { enumerated: 110_000, random: 20_000 };
const options = readOptions(process.argv.slice(2));
if (options) process.exitCode = await run(options);

async function run(options: Options): Promise<number> {
  const report = new Report(options);
  const root = temporaryRoot();
  mkdirSync(root, { recursive: true });
  console.log(
    `chaos: homes below ${root}, ${options.jobs} processes at a time (${availableParallelism()} cores), seed ${options.seed}`,
  );
  try {
    const shim = await buildShim(root);
    if (shim === undefined) {
      report.notRun("kills and failures at enumerated boundaries: they need Linux and a C compiler (gcc, cc or clang)");
    } else {
      await enumerated(new Laboratory({ root, shim, keep: options.keep }), options, report);
    }
    await daemonChaos({ root, shim, options, report });
  } finally {
    if (!options.keep) rmSync(root, { recursive: true, force: true });
  }
  return report.end();
}

async function enumerated(laboratory: Laboratory, options: Options, report: Report): Promise<void> {
  const exact = options.only === undefined ? undefined : parseName(options.only);
  const wanted = scenarios.filter(({ name }) => !options.only || name === options.only.split(":")[0]);
  const all: Prepared[] = [];
  for (const scenario of wanted) {
    const { prepared, violations } = await laboratory.prepare(scenario);
    report.counted(prepared);
    report.take({ name: `${scenario.name}:whole`, boundary: undefined, violations, kept: undefined });
    if (violations.length === 0 || exact) all.push(prepared);
  }
  if (exact) {
    for (const prepared of all) report.take(await laboratory.attempt(prepared, exact));
    return;
  }
  await planned(laboratory, all, options, report);
  await random(laboratory, all, options, report);
}

async function planned(
  laboratory: Laboratory,
  all: readonly Prepared[],
  options: Options,
  report: Report,
): Promise<void> {
  const plans = await inParallel(all, options.jobs, (prepared) => plan(laboratory, prepared, options.ci ? 3 : 6));
  const groups = plans.flat().map((group) => ({
    ...group,
    attempts: group.attempts.filter((attempt) => nameOf(attempt).includes(options.match ?? "")),
  }));
  const work = groups.flatMap((group) => group.attempts.map((attempt) => ({ group, attempt })));
  const chosen = options.limit === undefined ? work : evenly(work, options.limit);
  const until = performance.now() + (options.ci ? ciMs.enumerated : Number.POSITIVE_INFINITY);
  const done: typeof work = [];
  await inParallel(options.ci ? spread(chosen) : chosen, options.jobs, async (item) => {
    if (performance.now() > until) return;
    done.push(item);
    report.take(await laboratory.attempt(item.group.prepared, item.attempt));
  });
  report.chosen(countedBy(groups, done));
}

/** In an order in which every beginning is spread evenly over the whole: multiples of the golden ratio. */
function spread<Item>(items: readonly Item[]): Item[] {
  const keyed = items.map((item, index) => ({ item, key: (index * 0.618_033_988_749_895) % 1 }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}

function countedBy(groups: readonly Group[], chosen: readonly { group: Group; attempt: Attempt }[]) {
  return groups.map((group) => ({
    group,
    chosen: chosen.filter((item) => item.group === group).length,
  }));
}

async function random(
  laboratory: Laboratory,
  all: readonly Prepared[],
  options: Options,
  report: Report,
): Promise<void> {
  const next = randomFrom(options.seed);
  const instants = Array.from({ length: options.random }, (_, index) => {
    const prepared = all[index % Math.max(1, all.length)];
    return { prepared, part: next(), name: `${prepared?.scenario.name}:random:${index}` };
  });
  report.section(
    `${options.ci ? "up to " : ""}${instants.length} kills at random instants (--seed ${options.seed} --random ${options.random} repeats them)`,
  );
  const until = performance.now() + (options.ci ? ciMs.random : Number.POSITIVE_INFINITY);
  await inParallel(instants, options.jobs, async ({ prepared, part, name }) => {
    if (prepared && performance.now() < until)
      report.take(await laboratory.killAfter(prepared, prepared.durationMs * (0.2 + part * 0.9), name));
  });
}

export async function inParallel<Item, Result>(
  items: readonly Item[],
  jobs: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const queue = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of queue) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  return results;
}

export type { Outcome };
