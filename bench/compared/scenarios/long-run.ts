import { stateBytes, type Scenario } from "../lab.ts";
import { runChild } from "../process.ts";

const lengths = [50, 100, 200] as const;

/** A run of 50, 100 and 200 calls of a tool that answers 1,000 characters. Twice the calls: twice the state, or four times? */
export const longRun: Scenario = {
  id: "e",
  question: "200 tool calls: does what is kept grow in proportion?",
  test: "H7 the journal of a run grows with what happens, not with its history",
  async run(lab, contender) {
    const sizes: number[] = [];
    let peak = 0;
    for (const calls of lengths) {
      const { job } = lab.job(
        ({ turn }) => (turn < calls ? { calls: [{ name: "page", n: turn }] } : { text: "Done." }),
        { tools: ["page"] },
      );
      const { status, error, peakBytes } = await runChild(contender, "start", job);
      if (status !== "finished") return { good: false, says: `${calls} calls: ${status} ${error ?? ""}` };
      sizes.push(stateBytes(job));
      peak = peakBytes;
    }
    const [, half = 1, whole = 0] = sizes;
    const growth = whole / half;
    return {
      good: growth < 2.5,
      says: `${sizes.map(megabytes).join(" → ")} MB (×${growth.toFixed(1)} from 100 to 200 calls), peak memory ${Math.round(peak / 1e6)} MB`,
    };
  },
};

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(2);
