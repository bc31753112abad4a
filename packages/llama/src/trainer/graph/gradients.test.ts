import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { GradientReply, GradientRequest } from "../../../test/trainer-gradients-process.ts";

/** Central differences of a float32 loss are right to a few thousandths. */
const tolerance = 0.01;

let child: ChildProcess;

beforeAll(() => {
  child = fork(new URL("../../../test/trainer-gradients-process.ts", import.meta.url), {
    execArgv: [],
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
});

afterAll(() => child.kill("SIGKILL"));

test.each<[string, GradientRequest]>([
  ["with long heads", { heads: 1, keyValueHeads: 1, tiedOutput: true, lora: false }],
  ["with short heads that share keys and values", { heads: 4, keyValueHeads: 2, tiedOutput: true, lora: false }],
  ["with an output of its own", { heads: 2, keyValueHeads: 2, tiedOutput: false, lora: false }],
  ["of a LoRA", { heads: 2, keyValueHeads: 1, tiedOutput: true, lora: true }],
])("gradients %s are what small changes of the weights show", async (_name, request) => {
  const apart = await measure(request);
  expect(Object.keys(apart).length).toBeGreaterThan(10);
  expect(Object.entries(apart).filter(([, distance]) => distance > tolerance)).toEqual([]);
});

async function measure(request: GradientRequest): Promise<GradientReply> {
  const ended = once(child, "close").then(([code]) => {
    throw new Error(`the process ended with ${String(code)}`);
  });
  child.send(request);
  const [reply] = (await Promise.race([once(child, "message"), ended])) as [GradientReply];
  return reply;
}
