/** Publishes the Draft of the workbench `w`, or restores its newest checkpoint: twice, since the first attempt is made to fail. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import { openStage } from "./stage.ts";

const [, , root = "", what = ""] = process.argv;
await using stage = await openStage({ root });
const { workbenches } = stage;
const workbenchId = await workbenches.idOf("w", "default");
const change = async () => {
  const input = { workbenchId, wait: true, userId: "someone" };
  const { status } = await (what === "publish" ? workbenches.publish(input) : workbenches.restore(input));
  return { status };
};

const first = await change().catch((thrown: unknown) => {
  const { code, info } = BenchtopError.from(thrown);
  return { code, phase: info.phase, actions: info.actions };
});
const after = {
  files: filesIn(stage.published(workbenchId)),
  draft: (await workbenches.draftState({ workbenchId })).exists,
};
const beside = readdirSync(stage.published(workbenchId, "..")).filter((name) => /next$|old$/.test(name));
const second = await change();
console.log(JSON.stringify({ first, after, beside, second, files: filesIn(stage.published(workbenchId)) }));

function filesIn(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(folder.length).replace(/^\//, ""), readFileSync(path, "utf8")];
    }),
  );
}
