import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["packages/*/{src,test}/**/*.test.ts", "apps/*/{src,test}/**/*.test.ts", "test/**/*.test.ts"],
    pool: "forks",
    // A third of the time is waiting for disks and other processes: one worker a core leaves the machine idle.
    maxWorkers: Math.max(3, availableParallelism()),
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // One second, the usual patience of polling, is too little for a machine that runs other files beside.
    expect: { poll: { timeout: 15_000 } },
    coverage: {
      provider: "v8",
      include: ["packages/*/src/**/*.ts", "apps/cli/src/**/*.ts"],
      reporter: ["text-summary", "json-summary", "json"],
    },
  },
});
