import { afterEach, expect, test } from "vitest";
import { Thread } from "../../src/threads/thread.ts";
import type { testJobs } from "./worker.ts";

let thread: Thread<typeof testJobs>;
function start(): typeof thread {
  thread = new Thread<typeof testJobs>({
    script: new URL("./worker.ts", import.meta.url),
    resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
  });
  return thread;
}
afterEach(() => thread.close());

test("jobs that take their time are done one after the other", async () => {
  start();
  const done: string[] = [];
  const tell = (text: string): void => void done.push(text);
  await Promise.all([thread.run("later", "a").then(tell), thread.run("echo", "b").then(tell)]);
  expect(done).toEqual(["a", "b"]);
});

test.each([
  ["takes too long", "spin", { code: "ETIMEDOUT" }],
  ["takes too much memory", "eat", { code: "ERR_WORKER_OUT_OF_MEMORY" }],
  ["ends the thread", "exit", { message: "The worker thread ended." }],
] as const)("a job that %s fails alone; those behind it are done by a new thread", async (_, job, error) => {
  start();
  const failing = thread.run(job, undefined, job === "spin" ? 300 : undefined);
  const behind = thread.run("echo", "still here");
  await expect(failing).rejects.toMatchObject(error);
  expect(await behind).toBe("still here");
});

test("errors keep their codes on the way between threads", async () => {
  start();
  await expect(thread.run("refuse", undefined)).rejects.toMatchObject({ code: "NOT_FOUND", info: { phase: "review" } });
  await expect(thread.run("fail", undefined)).rejects.toMatchObject({ code: "ENOENT", path: "/x" });
});

test("a thread that cannot start fails its jobs, and is not started for ever", async () => {
  thread = new Thread<typeof testJobs>({ script: new URL("./nothing.ts", import.meta.url) });
  await expect(thread.run("echo", "a")).rejects.toThrow(/nothing/);
});

test("closing fails what has not finished", async () => {
  start();
  const [spinning] = await Promise.all([thread.run("spin", undefined).catch(String), thread.close()]);
  expect(spinning).toContain("shutting down");
});
