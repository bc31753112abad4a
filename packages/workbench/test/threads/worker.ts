import { setTimeout as delay } from "node:timers/promises";
import { BenchtopError } from "@benchtop/protocol";
import { serve } from "../../src/threads/serve.ts";

/** Jobs that end in every way there is. */
export const testJobs = {
  echo: (text: string) => text,
  later: async (text: string) => {
    await delay(20);
    return text;
  },
  spin: (): never => {
    for (;;);
  },
  eat: (): never => {
    const eaten: string[][] = [];
    for (;;) eaten.push(Array.from({ length: 10_000 }, (_, index) => `${index}`));
  },
  exit: (): never => process.exit(0),
  refuse: (): never => {
    throw new BenchtopError("NOT_FOUND", "It is not there.", { phase: "review" });
  },
  fail: (): never => {
    throw Object.assign(new Error("no such file"), { code: "ENOENT", path: "/x" });
  },
} as const;

serve(testJobs);
