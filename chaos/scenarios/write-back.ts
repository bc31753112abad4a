import { join } from "node:path";
import { differences, sha256, treeOf } from "../examine.ts";
import { startUp, type Product } from "../product.ts";
import { placesOf, type Facts, type Found, type Scenario } from "../scenario.ts";
import {
  agentModel,
  codesOfADisk,
  draft,
  failuresSpeak,
  trees,
  workbenchNamed,
  working,
  writeTree,
  before,
} from "./furnished.ts";

/** What somebody did to their own file since it was copied. */
const changedThere = "changed there\n";
const paths = ["data.csv", "notes.md"];
const notes = sha256(before["notes.md"] ?? "");

const written = new Map([...trees.before, ["data.csv", trees.after.get("data.csv") ?? ""]]);
const untouched = new Map([...trees.before, ["notes.md", sha256(changedThere)]]);

export const writeBack: Scenario = {
  name: "write-back",
  title: "writing published files back to where they were copied from, over a change made there",
  faults: true,

  async prepare(home) {
    const places = placesOf(home);
    await using product = await startUp(home, agentModel);
    writeTree(places, before);
    const { workbenchId } = await product.workbenches.create({
      name: "budget",
      userId: "owner",
      workspaceId: "default",
    });
    await product.workbenches.addFromHost({ workbenchId, sources: [places], replace: false, skipRefused: false });
    await draft(product, workbenchId, true);
    await product.workbenches.publish({ workbenchId, wait: true, userId: "owner" });
    writeTree(places, { "notes.md": changedThere });
    return { workbenchId };
  },

  async act(home, facts, say) {
    await working(home, say, "write-back", async (product) => {
      await moveOrigins(product, home, facts);
      const { workbenchId } = facts as { workbenchId: string };
      return await product.workbenches.writeBack({ workbenchId, workbenchPaths: paths, overwrite: true });
    });
  },

  check(found) {
    const violations = differences(trees.after, workbenchNamed(found, "budget").published);
    const places = placesAfter(found.home);
    for (const [path, hash] of places) {
      if (hash === written.get(path) || hash === untouched.get(path)) continue;
      // A process that was killed, or a disk that failed, may leave what it was writing; the next attempt removes it.
      if (!/(^|\/)\.benchtop-[0-9a-f]{16}\.part$/.test(path))
        violations.push(`${path} is torn, or no file of the owner's`);
    }
    for (const path of trees.before.keys()) if (!places.has(path)) violations.push(`${path} is lost`);
    return [
      ...violations.map((text) => `writing back: ${text}`),
      ...keptWhatWasThere(found, places),
      ...saidWhatIs(found, places),
      ...failuresSpeak(found),
    ];
  },

  async again(product, home, facts) {
    const { workbenchId } = facts as { workbenchId: string };
    await moveOrigins(product, home, facts);
    await product.workbenches.writeBack({ workbenchId, workbenchPaths: paths, overwrite: true });
    return differences(written, placesAfter(home)).map((text) => `done again, but ${text}`);
  },
};

const placesAfter = (home: string): Map<string, string> => treeOf(placesOf(home));

/** Every attempt works on files of its own. */
async function moveOrigins({ store }: Product, home: string, { workbenchId }: Facts): Promise<void> {
  const rows = await store.db.selectFrom("file_origins").select(["file_id", "path"]).execute();
  await store.db.transaction().execute(async (transaction) => {
    for (const { file_id: fileId, path } of rows) {
      await transaction
        .updateTable("file_origins")
        .set({ host_path: join(placesOf(home), path) })
        .where("workbench_id", "=", String(workbenchId))
        .where("file_id", "=", fileId)
        .execute();
    }
  });
}

/** What somebody wrote there is replaced only once a checkpoint has it. */
function keptWhatWasThere(found: Found, places: ReadonlyMap<string, string>): string[] {
  if (places.get("notes.md") !== notes) return [];
  const kept = workbenchNamed(found, "budget").kept.get("notes.md");
  return kept?.has(sha256(changedThere)) ? [] : ["a change made there was overwritten, and nothing has kept it"];
}

/** What was told as done is done; a refusal is told in words for a disk. */
function saidWhatIs(found: Found, places: ReadonlyMap<string, string>): string[] {
  return found.said.flatMap((item) => {
    if (item.kind !== "done" || item.what !== "write-back") return [];
    const { writeBackResults } = item.value as { writeBackResults: { path: string; outcome: string; code?: string }[] };
    return writeBackResults.flatMap(({ path, outcome, code }) => {
      if (outcome === "done") return places.get(path) === written.get(path) ? [] : [`${path} was told as written back`];
      return codesOfADisk.has(code ?? "") ? [] : [`${path} was refused with ${code}`];
    });
  });
}
