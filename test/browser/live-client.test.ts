import { resolve } from "node:path";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunEvent } from "../../packages/protocol/src/index.ts";
import { Bench, hasBrowser } from "./bench.ts";

/** The client as a page of somebody's has it: bundled for browsers, signed in by cookie, over one WebSocket. */
describe.skipIf(!hasBrowser)("the client in a browser (needs /usr/bin/chromium)", () => {
  let bench: Bench;
  let script: string;
  beforeAll(async () => {
    [bench, script] = await Promise.all([Bench.start(), bundle()]);
    await bench.addLocalProvider();
  }, 120_000);
  afterAll(() => bench[Symbol.asyncDispose]());

  test("H8 many runs are followed over one WebSocket, each event once and in order", { timeout: 60_000 }, async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    let sockets = 0;
    page.on("websocket", () => sockets++);
    await page.evaluate(script);
    const followed = await page.evaluate<{ via: string; events: RunEvent[][] }>(`(async () => {
      const live = benchtop.connect({ url: location.origin });
      const { via } = await live.call("identity.whoami", {});
      const runs = await Promise.all(
        Array.from({ length: 10 }, () => live.call("runs.start", { model: "local/gpt-5.2", prompt: "say hello" })),
      );
      const events = await Promise.all(runs.map(({ runId }) => Array.fromAsync(live.follow(runId))));
      live.close();
      return { via, events };
    })()`);
    expect([followed.via, sockets]).toEqual(["sign-in", 1]);
    for (const events of followed.events) {
      const { items } = await bench.client.call("runs.eventPage", { runId: events[0]!.runId });
      expect(events).toEqual(items);
    }
    expect(bench.complaints).toEqual([]);
  });

  test("P1.4 whoever is not signed in is told so", { timeout: 60_000 }, async () => {
    await using page = await bench.browser();
    await page.goto(bench.url);
    await page.evaluate(script);
    const ask = `benchtop.connect({ url: location.origin }).call("identity.whoami", {}).catch(({ code }) => code)`;
    expect(await page.evaluate(ask)).toBe("AUTH_REQUIRED");
  });
});

/** Fails where a module that only Node has is among what it takes. */
async function bundle(): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: "error",
    build: {
      write: false,
      minify: false,
      lib: {
        entry: resolve(import.meta.dirname, "../../packages/client/src/index.ts"),
        formats: ["iife"],
        name: "benchtop",
      },
      rolldownOptions: {
        onLog: (_, log) => {
          throw new Error(log.message);
        },
      },
    },
  });
  const [output] = [built].flat() as { output: { code: string }[] }[];
  const { code } = output!.output[0]!;
  expect(code).not.toMatch(/["']node:/);
  // In a page a declaration of this script is not one of the next.
  return `${code}\nglobalThis.benchtop = benchtop;`;
}
