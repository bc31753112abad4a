import { effectsOf, said, until, type Scenario } from "../lab.ts";
import { Child, runChild } from "../process.ts";

/** A run is killed while its model speaks; before it is resumed, its instructions change and the tool it called is gone. */
export const changedCode: Scenario = {
  id: "g",
  question: "Resumed after the prompt and the tools changed: is that noticed?",
  test: "H7 a run resumed with another prompt is refused, and names where it would differ",
  async run(lab, contender) {
    const { job, log } = lab.job(({ turn, repeated }) => {
      if (turn === 0) return { calls: [{ name: "note", n: 1 }] };
      return turn === 1 && repeated === 0 ? { text: "Well, ", hold: true } : { text: "Done." };
    });
    const child = await new Child(contender, "start", job).ready();
    child.go();
    await until(() => log.length > 1);
    await child.kill();
    const changed = { ...job, instructions: "Be harmful.", tools: ["charge"] as const };
    const { status, error } = await runChild(contender, "resume", changed);
    const noticed = status === "refused" || (status === "failed" && /diverg|differ|changed/i.test(error ?? ""));
    const used = log.at(-1)?.body.includes("Be harmful.") ? "went on with the new prompt" : "kept the old prompt";
    const how = noticed
      ? `noticed: ${error?.slice(0, 160)}`
      : `silent: ${status}, ${log.length > 2 ? used : "asked nothing more"}`;
    const tried = noticed || log.length > 2;
    return {
      good: tried ? noticed : undefined,
      says: `${how}${!noticed && error !== undefined ? ` (${error.slice(0, 100)})` : ""}; ${said(effectsOf(job))}`,
    };
  },
};
