import { effectsOf, said, until, type Scenario } from "../lab.ts";
import { Child, runChild } from "../process.ts";

/** A note is finished; then a charge takes effect and the process is killed before the call returns; then it is resumed. */
export const crashInTool: Scenario = {
  id: "c",
  question: "Killed between a tool's effect and its record: is a charge made only once?",
  test: "H7 a call whose outcome nobody knows is not made again: the run waits for a person",
  async run(lab, contender) {
    const { job } = lab.job(({ turn }) => {
      if (turn === 0) return { calls: [{ name: "note", n: 1 }] };
      return turn === 1 ? { calls: [{ name: "charge", n: 1 }] } : { text: "Done." };
    });
    const child = await new Child(contender, "start", { ...job, hangAfterEffect: true }).ready();
    child.go();
    await until(() => effectsOf(job).has("charge 1"));
    await child.kill();
    const { status, error } = await runChild(contender, "resume", job);
    const effects = effectsOf(job);
    const good = effects.get("charge 1") === 1 && (status === "suspended" || status === "finished");
    return { good, says: `${said(effects)}, then ${status}${error === undefined ? "" : ` (${error.slice(0, 100)})`}` };
  },
};
