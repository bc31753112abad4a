/** Publishes the Draft of the workbench `w` of the stage in the folder that is given. */
import { openStage } from "./stage.ts";

await using stage = await openStage({ root: process.argv[2] ?? "" });
await stage.workbenches.publish({ workbenchId: "w", wait: true, userId: "someone" });
