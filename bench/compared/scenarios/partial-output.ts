import { setTimeout as pause } from "node:timers/promises";
import type { Finding, Lab, Scenario } from "../lab.ts";
import { until } from "../lab.ts";
import { Child, runChild } from "../process.ts";

const words = 40;
const answer = Array.from({ length: words }, (_, index) => `word${index} `).join("");

/** The application is given 40 words of an answer that goes on; the run is cancelled, or its process killed; another process looks. */
export const partialOutput: Scenario = {
  id: "a",
  question: "Stopped in mid-stream: is what was said so far kept?",
  test: "H2 what was said before a stop, or before a killed process, is in the journal",
  async run(lab, contender) {
    const canceled = await keptAfter(lab, contender, async (child) => {
      child.stop();
      await Promise.race([child.outcome, pause(5000)]);
      await child.kill();
    });
    const killed = await keptAfter(lab, contender, (child) => child.kill());
    return {
      good: canceled === words && killed === words,
      says: `of ${words} words, ${canceled} kept after a cancel, ${killed} after SIGKILL`,
    } satisfies Finding;
  },
};

async function keptAfter(lab: Lab, contender: string, end: (child: Child) => Promise<unknown>): Promise<number> {
  const { job } = lab.job(() => ({ text: answer, hold: true }), { tools: ["note"], tellHeard: true });
  const child = await new Child(contender, "start", job).ready();
  child.go();
  await until(() => child.heard >= answer.length);
  await end(child);
  const { text } = await runChild(contender, "read", job);
  return Array.from({ length: words }, (_, index) => `word${index} `).filter((word) => text.includes(word)).length;
}
