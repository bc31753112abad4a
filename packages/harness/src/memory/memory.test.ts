import { describe, test } from "vitest";
import { memoryInProcess } from "./memory.ts";
import { memorySuite } from "./suite/index.ts";

describe("a memory in the process", () => {
  memorySuite({ test, withMemory: (limits, body) => body(memoryInProcess(limits)) });
});
