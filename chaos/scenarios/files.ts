import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { differences } from "../examine.ts";
import { scriptedModel, startUp, type Product } from "../product.ts";
import type { Facts, Found, FoundWorkbench, Say, Scenario } from "../scenario.ts";
import {
  agentModel,
  draft,
  failuresSpeak,
  followed,
  furnish,
  oldOrNew,
  publishedIs,
  runAgrees,
  trees,
  workbenchNamed,
  working,
  writeTree,
} from "./furnished.ts";

const budget = (facts: Facts): { workbenchId: string } => ({ workbenchId: String(facts["workbenchId"]) });

async function prepared(home: string, more?: (product: Product, workbenchId: string) => Promise<void>): Promise<Facts> {
  await using product = await startUp(home, agentModel);
  const workbenchId = await furnish(product, home);
  await more?.(product, workbenchId);
  return { workbenchId };
}

/** Follows the run that a call starts while the call waits for it; what the call answers is what counts. */
async function watched(product: Product, answer: Promise<unknown>, say: Say): Promise<void> {
  const settled = answer.then(
    () => true,
    () => true,
  );
  while (product.runs.active().length === 0 && !(await Promise.race([settled, wait(1, false)])));
  const [runId] = product.runs.active();
  if (runId !== undefined) await followed(product, runId, say).catch(() => undefined);
  await answer;
}

export const draftRun: Scenario = {
  name: "draft-run",
  title: "an agent that streams and writes a Draft: adds, edits, deletes",
  faults: true,
  prepare: (home) => prepared(home),

  async act(home, facts, say) {
    await working(home, say, "run", async (product) => {
      const ask = { ...budget(facts), model: scriptedModel, userId: "owner", task: "tidy" };
      const { runId } = await product.workbenches.runAgent(ask);
      await followed(product, runId, say);
    });
  },

  check(found) {
    const workbench = workbenchNamed(found, "budget");
    return [
      ...failuresSpeak(found),
      ...differences(trees.before, workbench.published).map((text) => `an agent changed Published: ${text}`),
      ...draftHoldsWhatWasSaid(found, workbench),
    ];
  },
};

/** What an acknowledged event says the Draft became, the Draft is (or newer). */
function draftHoldsWhatWasSaid(found: Found, workbench: FoundWorkbench): string[] {
  const violations: string[] = [];
  for (const events of found.journals.values()) {
    for (const event of events) {
      if (event.type !== "DraftChanged") continue;
      if (!workbench.draft.has(event.path))
        violations.push(`the journal says ${event.path} changed, the Draft does not`);
      else if (workbench.draft.get(event.path) !== event.sha256)
        violations.push(`the Draft has another ${event.path} than the journal`);
    }
  }
  return violations;
}

export const publish: Scenario = {
  name: "publish",
  title: "publishing added, changed and deleted files",
  faults: true,
  prepare: (home) => prepared(home, (product, workbenchId) => draft(product, workbenchId, true)),

  async act(home, facts, say) {
    await working(home, say, "publish", async (product) => {
      const answer = product.workbenches.publish({ ...budget(facts), wait: true, userId: "owner" });
      await watched(product, answer, say);
    });
  },

  check(found) {
    const workbench = workbenchNamed(found, "budget");
    const { isNew, violations } = oldOrNew(found, workbench, { what: "publish", old: trees.before, new: trees.after });
    if (isNew === workbench.hasDraft)
      violations.push(isNew ? "published, but the Draft is still there" : "not published, and the Draft is gone");
    if (!isNew && workbench.draft.size !== 5)
      violations.push(`the Draft changes ${workbench.draft.size} files instead of 5`);
    if (workbench.checkpoints !== (isNew ? 1 : 0)) violations.push(`${workbench.checkpoints} checkpoints`);
    return [...violations, ...runAgrees(found, "publish", isNew), ...failuresSpeak(found)];
  },

  async again({ workbenches }, home, facts) {
    await workbenches.publish({ ...budget(facts), wait: true, userId: "owner" });
    return publishedIs(home, budget(facts).workbenchId, trees.after);
  },
};

export const restore: Scenario = {
  name: "restore",
  title: "restoring the checkpoint of a publish",
  faults: true,
  prepare: (home) =>
    prepared(home, async (product, workbenchId) => {
      await draft(product, workbenchId, true);
      await product.workbenches.publish({ workbenchId, wait: true, userId: "owner" });
    }),

  async act(home, facts, say) {
    await working(home, say, "restore", async (product) => {
      const answer = product.workbenches.restore({ ...budget(facts), wait: true, userId: "owner" });
      await watched(product, answer, say);
    });
  },

  check(found) {
    const workbench = workbenchNamed(found, "budget");
    const { isNew, violations } = oldOrNew(found, workbench, { what: "restore", old: trees.after, new: trees.before });
    if (workbench.checkpoints !== (isNew ? 2 : 1)) violations.push(`${workbench.checkpoints} checkpoints`);
    return [...violations, ...runAgrees(found, "restore", isNew), ...failuresSpeak(found)];
  },

  async again({ workbenches }, home, facts) {
    await workbenches.restore({ ...budget(facts), wait: true, userId: "owner" });
    return publishedIs(home, budget(facts).workbenchId, trees.before);
  },
};

export const add: Scenario = {
  name: "add",
  title: "adding files, one of them in place of another",
  faults: true,
  prepare: (home) => prepared(home),

  async act(home, facts, say) {
    const folder = join(dirname(home), "more");
    writeTree(folder, { "notes.md": "replaced\n", "extra/one.txt": "one\n", "extra/two.txt": "two\n" });
    await working(home, say, "add", async (product) => {
      await product.workbenches.addFromHost({ ...budget(facts), sources: [folder], replace: true, skipRefused: false });
    });
  },

  check(found) {
    const states = { what: "add", old: trees.before, new: trees.withExtra };
    return [...oldOrNew(found, workbenchNamed(found, "budget"), states).violations, ...failuresSpeak(found)];
  },

  async again({ workbenches }, home, facts) {
    const sources = [join(dirname(home), "more")];
    await workbenches.addFromHost({ ...budget(facts), sources, replace: true, skipRefused: false });
    return publishedIs(home, budget(facts).workbenchId, trees.withExtra);
  },
};

export const remove: Scenario = {
  name: "remove",
  title: "removing a folder of files",
  faults: true,
  prepare: (home) => prepared(home),

  async act(home, facts, say) {
    await working(home, say, "remove", async (product) => {
      await product.workbenches.remove({ ...budget(facts), workbenchPaths: ["reports"] });
    });
  },

  check(found) {
    const states = { what: "remove", old: trees.before, new: trees.removed };
    const workbench = workbenchNamed(found, "budget");
    const { isNew, violations } = oldOrNew(found, workbench, states);
    if (isNew && workbench.checkpoints !== 1) violations.push("removed without a checkpoint");
    return [...violations, ...failuresSpeak(found)];
  },

  async again({ workbenches }, home, facts) {
    await workbenches.remove({ ...budget(facts), workbenchPaths: ["reports"] });
    return publishedIs(home, budget(facts).workbenchId, trees.removed);
  },
};

export const discard: Scenario = {
  name: "discard",
  title: "discarding a Draft",
  faults: true,
  prepare: (home) => prepared(home, (product, workbenchId) => draft(product, workbenchId, false)),

  async act(home, facts, say) {
    await working(home, say, "discard", async (product) => {
      await product.workbenches.discard({ ...budget(facts), userId: "owner" });
    });
  },

  check(found) {
    const workbench = workbenchNamed(found, "budget");
    const done = found.said.some((item) => item.kind === "done" && item.what === "discard");
    return [
      ...failuresSpeak(found),
      ...differences(trees.before, workbench.published).map((text) => `discarding changed Published: ${text}`),
      ...(done && workbench.hasDraft ? ["the discarded Draft is back"] : []),
      ...(workbench.hasDraft && workbench.draft.size !== 5 ? ["half of the Draft is gone"] : []),
    ];
  },

  async again({ workbenches }, home, facts) {
    await workbenches.discard({ ...budget(facts), userId: "owner" });
    return publishedIs(home, budget(facts).workbenchId, trees.before);
  },
};

export const createAndDelete: Scenario = {
  name: "create-delete",
  title: "creating a workbench and deleting another",
  faults: true,
  prepare: (home) => prepared(home),

  async act(home, facts, say) {
    await working(home, say, "both", async (product) => {
      await product.workbenches.create({ name: "fresh", userId: "owner", workspaceId: "default" });
      say({ kind: "done", what: "create" });
      await product.workbenches.delete(budget(facts));
      say({ kind: "done", what: "delete" });
    });
  },

  check(found) {
    const names = new Set(found.workbenches.map((workbench) => workbench.name));
    const done = (what: string): boolean => found.said.some((item) => item.kind === "done" && item.what === what);
    const violations = failuresSpeak(found);
    if (done("create") && !names.has("fresh")) violations.push("the created workbench is lost");
    if (done("delete") && names.has("budget")) violations.push("the deleted workbench is back");
    for (const workbench of found.workbenches) {
      const expected = workbench.name === "budget" ? trees.before : trees.empty;
      violations.push(...differences(expected, workbench.published).map((text) => `${workbench.name}: ${text}`));
    }
    return violations;
  },
};

export const firstStart: Scenario = {
  name: "first-start",
  title: "the first start on an empty home, and the first workbench",
  faults: true,
  prepare: () => Promise.resolve({}),

  async act(home, _facts, say) {
    await working(home, say, "create", async (product) => {
      await product.workbenches.create({ name: "first", userId: "owner", workspaceId: "default" });
    });
  },

  check(found) {
    const done = found.said.some((item) => item.kind === "done" && item.what === "create");
    return [
      ...failuresSpeak(found),
      ...(done && found.workbenches.length !== 1 ? ["the created workbench is lost"] : []),
    ];
  },
};
