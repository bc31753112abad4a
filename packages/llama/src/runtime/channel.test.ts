import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { Json } from "@benchtop/protocol";
import { afterEach, describe, expect, it, vi } from "vitest";
import { callSchema } from "./call-schema.ts";
import { encodeFrame, FrameReader } from "./frames.ts";
import { FreeCores } from "./free-cores.ts";
import { PartStream } from "./part-stream.ts";
import { LastWords } from "./process-end.ts";
import { Watchdog } from "./watchdog.ts";

describe("frames", () => {
  it("come out as they went in, however the pipe divides them", () => {
    const messages = [{ text: "Grüße 👩‍🚀" }, { empty: [] }, { long: "x".repeat(5000) }];
    const stream = Buffer.concat(
      messages.map((message, index) => encodeFrame(message, new Uint8Array(index * 4).fill(7))),
    );
    for (const size of [1, 3, 7, 8, 100, stream.length]) {
      const reader = new FrameReader();
      const frames = [];
      for (let at = 0; at < stream.length; at += size) frames.push(...reader.push(stream.subarray(at, at + size)));
      expect(frames.map(({ message }) => message)).toEqual(messages);
      expect(frames.map(({ bytes }) => bytes.length)).toEqual([0, 4, 8]);
    }
  });
});

describe("a stream of parts", () => {
  it("gives what was there before a failure, but nothing more after an abort", async () => {
    const [failed, aborted] = [new PartStream(), new PartStream()];
    for (const stream of [failed, aborted]) stream.push([]);
    failed.fail(new Error("crash"));
    aborted.abort(new Error("abort"));
    expect(await failed.next()).toEqual([]);
    await expect(failed.next()).rejects.toThrow("crash");
    await expect(aborted.next()).rejects.toThrow("abort");
  });
});

function pass(seconds: number, hear: (second: number) => void): void {
  for (let second = 0; second < seconds; second += 1) {
    vi.advanceTimersByTime(1000);
    hear(second);
  }
}

describe("the watchdog", () => {
  afterEach(() => vi.useRealTimers());

  it("bites who says nothing, and who says something but does not move; not who works, rests, or slept", () => {
    vi.useFakeTimers();
    const bites: string[] = [];
    const dog = new Watchdog({ silentMs: 4000, stalledMs: 20_000 }, (why) => {
      bites.push(why);
      dog.rest();
    });
    dog.watch();
    pass(60, (second) => dog.hear(second));
    expect(bites).toEqual([]);
    pass(10, () => undefined);
    expect(bites).toEqual(["silent"]);
    dog.watch();
    pass(60, () => dog.hear(1));
    expect(bites).toEqual(["silent", "stalled"]);
    pass(60, () => undefined);
    expect(bites).toHaveLength(2);
    dog.watch();
    vi.setSystemTime(Date.now() + 3_600_000);
    pass(1, () => dog.hear());
    expect(bites).toHaveLength(2);
  });
});

describe("the last words of a process", () => {
  it("are shown only as far as they are text of source code", () => {
    const words = new LastWords();
    words.hear("prompt: my secret diary\n".repeat(1000));
    expect(words.assertion).toBeUndefined();
    words.hear("/src/ggml.c:12: GGML_ASSERT(a->ne[0] == b->ne[0]) failed\nmy secret diary");
    expect(words.assertion).toBe("GGML_ASSERT(a->ne[0] == b->ne[0]) failed");
  });
});

describe("the arguments of a tool", () => {
  it("are held to the properties that are required, and may have others where others are described", () => {
    const properties: Json = { city: { type: "string" }, unit: { enum: ["c", "f"] } };
    expect(callSchema({ type: "object", properties, required: ["city"] })).toEqual({
      type: "object",
      properties: { city: { type: "string" } },
      additionalProperties: true,
    });
    expect(callSchema({ type: "object", properties, required: ["city", "unit"] })).toEqual({
      type: "object",
      properties: { city: { type: "string" }, unit: { enum: ["c", "f"] } },
    });
    expect(callSchema({ type: "object", properties: {} })).toBeUndefined();
    expect(callSchema(true)).toBeUndefined();
  });

  it("do not grow without end with references that multiply", () => {
    const levels = Array.from({ length: 15 }, (_, level) => {
      const next = { $ref: `#/$defs/l${level + 1}` };
      const names = Array.from({ length: 10 }, (__, index) => `p${index}`);
      const properties = Object.fromEntries(names.map((name) => [name, next]));
      return [`l${level}`, { type: "object", properties, required: names }] as const;
    });
    const schema: Json = {
      type: "object",
      properties: { a: { $ref: "#/$defs/l0" } },
      required: ["a"],
      $defs: Object.fromEntries(levels),
    };
    expect(JSON.stringify(callSchema(schema)).length).toBeLessThan(3_000_000);
    expect(callSchema({ $defs: {}, properties: { a: { $ref: "#" } }, required: ["a"] })).toBeDefined();
  });
});

describe("packages with GPU builds", () => {
  it.skipIf(process.platform !== "linux")("are found where an operator put them, and not where there is none", () => {
    const folder = mkdtempSync(join(tmpdir(), "benchtop-gpu-"));
    const name = `@node-llama-cpp/${process.platform}-${process.arch}-vulkan`;
    const found = (packagesDir: string): string => {
      const hooks = pathToFileURL(join(import.meta.dirname, "gpu-packages.ts")).href;
      const script = `
        import { offerGpuPackages } from ${JSON.stringify(hooks)};
        const found = offerGpuPackages(${JSON.stringify(packagesDir)});
        const { getBinsDir } = await import(${JSON.stringify(name)}).catch(() => ({}));
        console.log(found, getBinsDir?.());`;
      const run = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
        encoding: "utf8",
        cwd: folder,
      });
      return run.stdout.trim();
    };
    try {
      expect(found(join(folder, "node_modules"))).toBe("false undefined");
      mkdirSync(join(folder, "node_modules", name), { recursive: true });
      writeFileSync(
        join(folder, "node_modules", name, "package.json"),
        '{ "type": "module", "exports": "./index.js" }',
      );
      writeFileSync(join(folder, "node_modules", name, "index.js"), 'export const getBinsDir = () => "here";');
      expect(found(join(folder, "node_modules"))).toBe("true here");
      expect(found(folder)).toBe("true here");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("threads of computation", () => {
  it("become fewer as soon as others use the cores", async () => {
    const told: number[] = [];
    const cores = new FreeCores(availableParallelism(), (threads) => told.push(threads));
    const others = Array.from({ length: availableParallelism() }, () =>
      spawn(process.execPath, ["--eval", "for (;;) {}"], { stdio: "ignore" }),
    );
    try {
      cores.follow();
      await setTimeout(700);
      cores.rest();
      expect(told.at(-1) ?? 1).toBeLessThan(Math.max(2, availableParallelism()));
      expect(told.every((threads) => threads >= 1)).toBe(true);
    } finally {
      for (const other of others) other.kill("SIGKILL");
    }
  });
});
