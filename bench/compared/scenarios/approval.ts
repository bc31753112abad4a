import { effectsOf, said, type Finding, type Lab, type Scenario } from "../lab.ts";
import { runChild } from "../process.ts";

/**
 * Three notes, the last in the same answer as a charge that a person has to approve, by another process. Then a tool that
 * asks in its middle, after an effect, where there is such a thing: how that comes out is told, not judged.
 */
export const approval: Scenario = {
  id: "d",
  question: "A person approves a tool call: is the work before it left alone?",
  test: "H6 a run that waited for an approval repeats nothing of what came before",
  async run(lab, contender) {
    const before = await beforeTool(lab, contender);
    const inside = await insideTool(lab, contender);
    return {
      good: before.good,
      says: `before: ${before.says}; inside: ${inside.says}`,
    };
  },
};

async function beforeTool(lab: Lab, contender: string): Promise<Finding> {
  const { job, log } = lab.job(
    ({ turn }) => {
      if (turn < 2) return { calls: [{ name: "note", n: turn + 1 }] };
      if (turn > 2) return { text: "Done." };
      return {
        calls: [
          { name: "note", n: 3 },
          { name: "charge", n: 1 },
        ],
      };
    },
    { approve: "charge" },
  );
  const first = await runChild(contender, "start", job);
  if (first.status !== "suspended") return { good: false, says: `${first.status} instead of waiting` };
  const { status, error } = await runChild(contender, "approve", job);
  const effects = effectsOf(job);
  const once = ["note 1", "note 2", "note 3", "charge 1"].every((line) => effects.get(line) === 1);
  const asked = log.length === 4 ? "" : `, ${log.length} model calls for 4 turns`;
  return {
    good: once && status === "finished" && log.length === 4,
    says: `${once ? "each call once" : said(effects)}${asked}, ${status}${error === undefined ? "" : ` (${error.slice(0, 100)})`}`,
  };
}

async function insideTool(lab: Lab, contender: string): Promise<Finding> {
  if (contender === "openai-agents" || contender === "ai-sdk") return { good: undefined, says: "tools cannot ask" };
  const { job } = lab.job(({ turn }) => (turn === 0 ? { calls: [{ name: "charge", n: 1 }] } : { text: "Done." }), {
    approve: "charge",
    askInside: true,
  });
  const first = await runChild(contender, "start", job);
  if (first.status !== "suspended") return { good: false, says: `${first.status} instead of waiting` };
  const { status } = await runChild(contender, "approve", job);
  const effects = effectsOf(job);
  return { good: effects.get("before the question 1") === 1, says: `${said(effects)}, ${status}` };
}
