/**
 * Publishing in a large workbench: 1 GB in 5,000 files (200 kB each, 50 folders), 100 of them changed; and Review of 2,000 changed
 * ones. Prints a Markdown table with what git and cp need for the same change in the same tree. Times are medians of several
 * rounds, in milliseconds.
 *
 * `BENCH_PUBLISH_FILES` and `BENCH_PUBLISH_BYTES` (of each file) change the size.
 */
import { execFileSync } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { openStage, type Stage } from "../packages/workbench/test/stage.ts";

const fileCount = Number(process.env["BENCH_PUBLISH_FILES"] ?? 5000);
const fileBytes = Number(process.env["BENCH_PUBLISH_BYTES"] ?? 200_000);
const changed = 100;
const reviewed = Math.min(2000, fileCount);
const rounds = 5;

const times = new Map<string, number[]>();
const folder = mkdtempSync(join(tmpdir(), "benchtop-bench-"));
try {
  const source = join(folder, "source");
  const paths = writeTree(source);
  execFileSync("sync");
  await benchtop(source, paths);
  peers(source, paths);
  print();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function benchtop(source: string, paths: readonly string[]): Promise<void> {
  await using stage = await openStage({ root: join(folder, "stage") });
  const { workbenches, model } = stage;
  const { workbenchId } = await workbenches.create({ name: "large", userId: "bench", workspaceId: "default" });
  const sources = [source];
  await timed(`add ${fileCount} files`, () =>
    workbenches.addFromHost({ workbenchId, sources, replace: false, skipRefused: false }),
  );
  const wait = { workbenchId, wait: true, userId: "bench" };
  for (let round = 0; round < rounds; round++) {
    model.script({
      calls: [{ name: "write_file", arguments: { path: pick(paths, 0), content: `opened ${round}\n` } }],
    });
    await timed("open a Draft (an agent run with one write)", () => stage.agent(workbenchId));
    await change(stage, workbenchId, paths, `discarded ${round}`);
    await timed("discard 100 changed files", () => workbenches.discard({ workbenchId, userId: "bench" }));
    await change(stage, workbenchId, paths, `published ${round}`);
    await timed("review: change set of 100 files", () => workbenches.changeSet({ workbenchId }));
    await timed("publish 100 changed files", () => workbenches.publish(wait));
    await timed("restore 100 changed files", () => workbenches.restore(wait));
    await timed("look for outside changes", () => workbenches.outsideChanges({ workbenchId }));
    await timed("compare with where they came from", () => workbenches.origins({ workbenchId }));
  }
  await change(stage, workbenchId, paths, "reviewed", reviewed);
  for (let round = 0; round < rounds; round++) {
    await timed(`review: change set of ${reviewed} files`, () => workbenches.changeSet({ workbenchId }));
  }
  await timed(`publish ${reviewed} changed files`, () => workbenches.publish(wait));
}

/** Lets an agent change files, at most 50 turns, and makes sure that it did: a number for fewer changes would mean nothing. */
async function change(
  stage: Stage,
  workbenchId: string,
  paths: readonly string[],
  text: string,
  count = changed,
): Promise<void> {
  const perTurn = Math.max(10, Math.ceil(count / 40));
  for (let first = 0; first < count; first += perTurn) {
    const calls = Array.from({ length: Math.min(perTurn, count - first) }, (_, index) => {
      const content = `${text} ${first + index}\n`.repeat(200);
      return { name: "write_file", arguments: { path: pick(paths, first + index), content } };
    });
    stage.model.script({ calls });
  }
  await stage.agent(workbenchId);
  const { counts } = await stage.workbenches.draftState({ workbenchId });
  if (counts.modified !== count) throw new Error(`${counts.modified} files were changed, not ${count}.`);
}

function peers(source: string, paths: readonly string[]): void {
  const git = (...args: string[]): void => void execFileSync("git", args, { cwd: source, stdio: "ignore" });
  git("init", "-q");
  git("config", "user.email", "bench@localhost");
  git("config", "user.name", "bench");
  git("config", "gc.auto", "0");
  git("add", "-A");
  git("commit", "-q", "-m", "base");
  execFileSync("sync");
  for (let round = 0; round < rounds; round++) {
    for (let index = 0; index < changed; index++) {
      writeFileSync(join(source, pick(paths, index)), `git ${round} ${index}\n`.repeat(200));
    }
    timedSync("git add -A && git commit (no fsync of files)", () => {
      git("add", "-A");
      git("commit", "-q", "-m", `round ${round}`);
    });
  }
  rmSync(join(source, ".git"), { recursive: true, force: true });
  for (let round = 0; round < 3; round++) {
    const copy = join(folder, `copy-${round}`);
    timedSync("cp -a of the tree (no fsync)", () => execFileSync("cp", ["-a", source, copy]));
    rmSync(copy, { recursive: true, force: true });
    execFileSync("sync");
  }
}

function writeTree(root: string): string[] {
  const paths: string[] = [];
  const content = Buffer.alloc(fileBytes);
  for (let index = 0; index < fileCount; index++) {
    const path = `folder-${index % 50}/file-${index}.txt`;
    const random = randomFillSync(Buffer.alloc(Math.ceil(fileBytes / 2))).toString("hex");
    content.write(random, "latin1");
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
    paths.push(path);
  }
  return paths;
}

function pick(paths: readonly string[], index: number): string {
  return paths[(index * 47) % paths.length] ?? "";
}

async function timed(what: string, work: () => Promise<unknown>): Promise<void> {
  const started = performance.now();
  await work();
  note(what, performance.now() - started);
}

function timedSync(what: string, work: () => void): void {
  const started = performance.now();
  work();
  note(what, performance.now() - started);
}

function note(what: string, milliseconds: number): void {
  times.set(what, [...(times.get(what) ?? []), milliseconds]);
}

function print(): void {
  console.log(`${fileCount} files, ${((fileCount * fileBytes) / 1e9).toFixed(2)} GB, ${changed} changed\n`);
  console.log("| | median ms | slowest ms |");
  console.log("|---|---:|---:|");
  for (const [what, all] of times) {
    const sorted = all.toSorted((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
    console.log(`| ${what} | ${median.toFixed(0)} | ${(sorted.at(-1) ?? 0).toFixed(0)} |`);
  }
}
