import { setTimeout as pause } from "node:timers/promises";
import { effectsOf, until, type Lab, type Scenario } from "../lab.ts";
import { Child } from "../process.ts";

/** A run is cancelled while its sub-agent's model speaks, and while its sub-agent's tool works; the process lives on. */
export const cancelledChildren: Scenario = {
  id: "h",
  question: "Cancelled: do a sub-agent's request and a sub-agent's tool stop?",
  test: "H2 cancelling a run closes its sub-run's request and stops its sub-run's tool",
  async run(lab, contender) {
    const request = await whileModelSpeaks(lab, contender);
    const tool = await whileToolWorks(lab, contender);
    const requestSays = request === undefined ? "request still open after 3 s" : `request closed after ${request} ms`;
    return {
      good: request !== undefined && tool.after <= 2,
      says: `${requestSays}; tool: ${tool.after} effects in 3 s, half a second after the cancel${tool.before === 0 ? " (it never ran)" : ""}`,
    };
  },
};

async function whileModelSpeaks(lab: Lab, contender: string): Promise<number | undefined> {
  const helper = lab.script(() => ({ text: "Hm, ", hold: true }));
  const { job } = lab.job(({ turn }) => (turn === 0 ? { calls: [{ name: "helper", n: 1 }] } : { text: "Done." }), {
    tools: [],
    helper: { baseUrl: helper.baseUrl, tools: [] },
  });
  const child = await new Child(contender, "start", job).ready();
  child.go();
  await until(() => helper.log.length > 0);
  await pause(300);
  const canceledAt = performance.now();
  child.stop();
  // An exiting process closes its connections too: that is not what is asked.
  const exited = child.outcome.then(() => performance.now());
  await until(() => helper.log[0]?.closedAt !== undefined, 3000);
  const closedAt = helper.log[0]?.closedAt;
  await child.kill();
  await exited;
  return closedAt === undefined ? undefined : Math.round(closedAt - canceledAt);
}

async function whileToolWorks(lab: Lab, contender: string): Promise<{ before: number; after: number }> {
  const helper = lab.script(({ turn }) => (turn === 0 ? { calls: [{ name: "tick", n: 1 }] } : { text: "Helped." }));
  const { job } = lab.job(({ turn }) => (turn === 0 ? { calls: [{ name: "helper", n: 1 }] } : { text: "Done." }), {
    tools: [],
    helper: { baseUrl: helper.baseUrl, tools: ["tick"] },
  });
  const child = await new Child(contender, "start", job).ready();
  child.go();
  await until(() => (effectsOf(job).get("tick 1") ?? 0) > 5);
  child.stop();
  // Whoever hears of the cancel late has stopped by now.
  await pause(500);
  const before = effectsOf(job).get("tick 1") ?? 0;
  await pause(3000);
  const after = (effectsOf(job).get("tick 1") ?? 0) - before;
  await child.kill();
  return { before, after };
}
