import { effectsOf, said, type Finding, type Lab, type Scenario } from "../lab.ts";
import { runChild } from "../process.ts";

/** Two 429s before every answer; then a provider that refuses 12 times in a row after the second tool, and is back later. */
export const retryStorm: Scenario = {
  id: "i",
  question: "429s in the middle of a run: is every call made only once?",
  test: "H4 a storm of rate limits repeats no finished call, and a run it ended is continued by a fork",
  async run(lab, contender) {
    const waves = await twoBeforeEach(lab, contender);
    const storm = await longStorm(lab, contender);
    return {
      good: waves.good === true && storm.good === true,
      says: `2 each time: ${waves.says}; 12 in a row: ${storm.says}`,
    };
  },
};

async function twoBeforeEach(lab: Lab, contender: string): Promise<Finding> {
  const { job } = lab.job(({ turn, repeated }) => {
    if (repeated < 2) return { status: 429, text: "slow down" };
    return turn < 3 ? { calls: [{ name: "charge", n: turn }] } : { text: "Done." };
  });
  const { status, error } = await runChild(contender, "start", job);
  const effects = effectsOf(job);
  const once = effects.size === 3 && [...effects.values()].every((count) => count === 1);
  return {
    good: once && status === "finished",
    says: `${once ? "each call once" : said(effects)}, ${status}${error === undefined ? "" : ` (${error.slice(0, 80)})`}`,
  };
}

async function longStorm(lab: Lab, contender: string): Promise<Finding> {
  let isOver = false;
  const { job, log } = lab.job(({ turn, repeated }) => {
    if (turn === 2 && !isOver && repeated < 12) return { status: 429, text: "slow down" };
    return turn < 3 ? { calls: [{ name: "charge", n: turn }] } : { text: "Done." };
  });
  const first = await runChild(contender, "start", job);
  const asked = log.filter(({ turn }) => turn === 2).length;
  if (first.status === "finished") {
    return { good: [...effectsOf(job).values()].every((count) => count === 1), says: `held out (${asked} requests)` };
  }
  isOver = true;
  const { status, error } = await runChild(contender, "resume", job);
  const effects = effectsOf(job);
  const once = [...effects.values()].every((count) => count === 1) && effects.size === 3;
  return {
    good: once && status === "finished",
    says: `${first.status} after ${asked} requests, resumed: ${once ? "each call once" : said(effects)}, ${status}${error === undefined ? "" : ` (${error.slice(0, 80)})`}`,
  };
}
