/** Writes the files of the workbench `w` back, of the stage in the folder that is given. */
import { openStage } from "./stage.ts";

await using stage = await openStage({ root: process.argv[2] ?? "" });
const workbenchId = await stage.workbenches.idOf("w", "default");
await stage.workbenches.writeBack({ workbenchId, overwrite: false });
