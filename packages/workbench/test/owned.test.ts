import { execFileSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openStage, type Stage } from "./stage.ts";

/** The workbench owns the files that it published, and nothing else: not what others put beside them, not what a link leads to. */

const someone = { userId: "someone", workspaceId: "default" };
const published = { "a.txt": "a", "b.txt": "b", "sub/c.txt": "c" };

interface Scene {
  readonly stage: Stage;
  readonly workbenchId: string;
  /** Files that are no part of the workbench. */
  readonly elsewhere: string;
}

/** Published files, one checkpoint, and either a Draft or none. */
async function scene(options: { draft: boolean }): Promise<Scene> {
  const stage = await openStage();
  const { workbenches } = stage;
  const { workbenchId } = await workbenches.create({ name: "w", ...someone });
  const uploads: { path: string; sha256: string }[] = [];
  for (const [path, content] of Object.entries({ ...published, "a.txt": "before" })) {
    uploads.push({ path, sha256: await stage.upload(content) });
  }
  await workbenches.filesAdd({ workbenchId, uploads, replace: false });
  await draft(stage, workbenchId, "a");
  await workbenches.publish({ workbenchId, wait: true, ...someone });
  if (options.draft) await draft(stage, workbenchId, "agent");
  const elsewhere = join(stage.outside, "elsewhere");
  mkdirSync(join(elsewhere, "sub"), { recursive: true });
  writeFileSync(join(elsewhere, "mine.txt"), "mine");
  writeFileSync(join(elsewhere, "sub/c.txt"), "mine, too");
  return { stage, workbenchId, elsewhere };
}

async function draft(stage: Stage, workbenchId: string, content: string): Promise<void> {
  stage.model.script({ calls: [{ name: "write_file", arguments: { path: "a.txt", content } }] });
  expect((await stage.agent(workbenchId)).at(-1)?.type).toBe("Completed");
}

/** Every entry below a folder, with what tells that it was touched. */
function look(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    entries.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const stats = lstatSync(path, { bigint: true });
      const what = stats.isSymbolicLink() ? readlinkSync(path) : stats.isFile() ? readFileSync(path, "utf8") : "";
      return [path.slice(folder.length + 1), `${stats.ino} ${stats.mode} ${stats.mtimeNs} ${what}`];
    }),
  );
}

type Work = readonly [name: string, draft: boolean, work: (stage: Stage, workbenchId: string) => Promise<unknown>];

/** Everything that would replace or remove published files. */
const changes: readonly Work[] = [
  ["publish", true, ({ workbenches }, workbenchId) => workbenches.publish({ workbenchId, wait: true, ...someone })],
  ["restore", false, ({ workbenches }, workbenchId) => workbenches.restore({ workbenchId, wait: true, ...someone })],
  ["remove", false, ({ workbenches }, workbenchId) => workbenches.remove({ workbenchId, workbenchPaths: ["sub"] })],
  ["delete", false, ({ workbenches }, workbenchId) => workbenches.delete({ workbenchId })],
];

type Intrusion = readonly [name: string, make: (scene: Scene) => void];
const at = ({ stage, workbenchId }: Scene, path = ""): string => stage.published(workbenchId, path);

/** What another program may do in the published folder. */
const intrusions: readonly Intrusion[] = [
  ["a file of its own", (scene) => writeFileSync(at(scene, "theirs.txt"), "theirs")],
  [
    "a folder of its own",
    (scene) => {
      mkdirSync(at(scene, "theirs/deep"), { recursive: true });
      writeFileSync(at(scene, "theirs/deep/x.txt"), "theirs");
    },
  ],
  ["a link to a file elsewhere", (scene) => symlinkSync(join(scene.elsewhere, "mine.txt"), at(scene, "link.txt"))],
  ["a link to a folder elsewhere", (scene) => symlinkSync(scene.elsewhere, at(scene, "link"))],
  [
    "a link in the place of a folder",
    (scene) => {
      renameSync(at(scene, "sub"), join(scene.elsewhere, "moved"));
      symlinkSync(join(scene.elsewhere, "sub"), at(scene, "sub"));
    },
  ],
  ["a further name of a published file", (scene) => linkSync(at(scene, "b.txt"), join(scene.elsewhere, "twin"))],
  ["a further name of a file elsewhere", (scene) => linkSync(join(scene.elsewhere, "mine.txt"), at(scene, "twin.txt"))],
  ["a FIFO", (scene) => void execFileSync("mkfifo", [at(scene, "pipe")])],
];

describe.each(changes)("%s", (_name, withDraft, work) => {
  test.each(intrusions)("S3 is a conflict beside %s, and touches nothing", async (_intrusion, make) => {
    const here = await scene({ draft: withDraft });
    await using stage = here.stage;
    make(here);
    const before = [look(at(here)), look(here.elsewhere)];
    await expect(work(stage, here.workbenchId)).rejects.toMatchObject({ code: "CONFLICT_PUBLISHED_CHANGED" });
    expect([look(at(here)), look(here.elsewhere)]).toEqual(before);
    expect((await stage.workbenches.draftState({ workbenchId: here.workbenchId })).exists).toBe(withDraft);
  });
});

test.each(intrusions)("S6 discarding a Draft beside %s touches nothing", async (_intrusion, make) => {
  const here = await scene({ draft: true });
  await using stage = here.stage;
  make(here);
  const before = [look(at(here)), look(here.elsewhere)];
  await stage.workbenches.discard({ workbenchId: here.workbenchId, ...someone });
  expect([look(at(here)), look(here.elsewhere)]).toEqual(before);
});

test.each(intrusions)("S1 putting the files back removes %s, and nothing elsewhere is touched", async (_name, make) => {
  const here = await scene({ draft: false });
  await using stage = here.stage;
  make(here);
  const before = look(here.elsewhere);
  await stage.workbenches.resolveOutsideChanges({ workbenchId: here.workbenchId, strategy: "revert" });
  expect(look(here.elsewhere)).toEqual(before);
  const names = readdirSync(at(here), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(names.map((entry) => entry.name).sort()).toEqual(["a.txt", "b.txt", "c.txt"]);
  for (const [path, content] of Object.entries(published)) expect(readFileSync(at(here, path), "utf8")).toBe(content);
});

test("S1 what a program wrote into a further name of a published file, made before, never becomes the workbench's", async () => {
  const here = await scene({ draft: true });
  await using stage = here.stage;
  const twin = join(here.elsewhere, "twin");
  linkSync(at(here, "b.txt"), twin);
  const { workbenchId } = here;
  await stage.workbenches.resolveOutsideChanges({ workbenchId, strategy: "revert" });
  writeFileSync(twin, "written outside");
  await stage.workbenches.publish({ workbenchId, wait: true, ...someone });
  expect(readFileSync(at(here, "b.txt"), "utf8")).toBe("b");
  await stage.workbenches.restore({ workbenchId, wait: true, ...someone });
  expect(readFileSync(at(here, "b.txt"), "utf8")).toBe("b");
  expect(readFileSync(twin, "utf8")).toBe("written outside");
});

test("S6 a deleted file leaves what others put beside it in its folder to be told about", async () => {
  const here = await scene({ draft: false });
  await using stage = here.stage;
  const { workbenchId } = here;
  stage.model.script({ calls: [{ name: "delete_file", arguments: { path: "sub/c.txt" } }] });
  await stage.agent(workbenchId);
  await stage.workbenches.confirmDeletions({ workbenchId, paths: ["sub/c.txt"] });
  writeFileSync(at(here, "sub/theirs.txt"), "theirs");
  const publish = () => stage.workbenches.publish({ workbenchId, wait: true, ...someone });
  await expect(publish()).rejects.toMatchObject({ info: { detail: { paths: ["sub/theirs.txt (added)"] } } });
  await stage.workbenches.resolveOutsideChanges({ workbenchId, strategy: "adopt" });
  await publish();
  expect(existsSync(at(here, "sub/c.txt"))).toBe(false);
  expect(readFileSync(at(here, "sub/theirs.txt"), "utf8")).toBe("theirs");
});
