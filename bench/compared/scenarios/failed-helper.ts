import type { Scenario } from "../lab.ts";
import { runChild } from "../process.ts";

const cause = "the quota of team 7731 is used up";

/** A sub-agent's provider refuses with a reason. What do the parent's model and the parent's own record say? */
export const failedHelper: Scenario = {
  id: "f",
  question: "A sub-agent fails: does the parent show it, with the cause?",
  test: "H7 a failed sub-run is in its parent's journal with its cause",
  async run(lab, contender) {
    const helper = lab.script(() => ({ status: 403, text: cause }));
    const { job, log } = lab.job(
      ({ turn }) => (turn === 0 ? { calls: [{ name: "helper", n: 1 }] } : { text: "Done." }),
      { tools: [], helper: { baseUrl: helper.baseUrl, tools: [] } },
    );
    const { status, error } = await runChild(contender, "start", job);
    const told = log.at(-1)?.messages.find(({ role }) => role === "tool")?.content;
    const kept = (await runChild(contender, "read", job)).text;
    const seen = [told, error, kept].join(" ");
    const inWords = seen.includes("7731");
    const kind = /403|AUTH_FAILED/.test(seen);
    const shown = inWords
      ? "in the provider's words"
      : kind
        ? "by its kind, without the provider's words"
        : "without the cause";
    const words = told === undefined ? "the model was told nothing" : `the model was told “${told.slice(0, 130)}”`;
    return {
      good: inWords || kind,
      says: `${shown}; ${status}; ${words}${error === undefined ? "" : `; error: ${error.slice(0, 110)}`}`,
    };
  },
};
