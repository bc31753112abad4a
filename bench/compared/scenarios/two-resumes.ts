import { effectsOf, said, until, type Finding, type Lab, type Scenario } from "../lab.ts";
import type { Job } from "../contender.ts";
import { Child, runChild } from "../process.ts";

/**
 * Two processes continue the same run at the same moment: one that was killed while its model spoke, and one that waits for an
 * approval. The next thing to do is a charge.
 */
export const twoResumes: Scenario = {
  id: "b",
  question: "Two processes resume one run at once: is each step executed once?",
  test: "H7 of two processes that resume one run, one drives it and the other is refused",
  async run(lab, contender) {
    const crashed = await afterCrash(lab, contender);
    const approved = await afterApproval(lab, contender);
    return { good: crashed.good && approved.good, says: `crash: ${crashed.says}; approval: ${approved.says}` };
  },
};

async function afterCrash(lab: Lab, contender: string): Promise<Finding> {
  const { job, log } = lab.job(({ turn, repeated }) => {
    if (turn === 0) return { calls: [{ name: "note", n: 1 }] };
    if (turn === 1) return repeated === 0 ? { text: "Well, ", hold: true } : { calls: [{ name: "charge", n: 1 }] };
    return { text: "Done." };
  });
  const child = await new Child(contender, "start", job).ready();
  child.go();
  await until(() => log.length > 1);
  await child.kill();
  return both(contender, "resume", job);
}

async function afterApproval(lab: Lab, contender: string): Promise<Finding> {
  const { job } = lab.job(({ turn }) => (turn === 0 ? { calls: [{ name: "charge", n: 1 }] } : { text: "Done." }), {
    approve: "charge",
  });
  const { status, error } = await runChild(contender, "start", job);
  if (status !== "suspended") return { good: false, says: `${status} instead of waiting: ${error ?? ""}` };
  return both(contender, "approve", job);
}

async function both(contender: string, action: "resume" | "approve", job: Job): Promise<Finding> {
  const children = await Promise.all([1, 2].map(() => new Child(contender, action, job).ready()));
  const outcomes = await Promise.all(children.map((child) => child.go().outcome));
  const effects = effectsOf(job);
  const statuses = outcomes.map(
    ({ status, error }) => status + (error === undefined ? "" : ` (${error.slice(0, 80)})`),
  );
  const good = effects.get("charge 1") === 1 && outcomes.some(({ status }) => status === "finished");
  return { good, says: `${said(effects)}, ${statuses.join(" + ")}` };
}
