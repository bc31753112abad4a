import { setTimeout as sleep } from "node:timers/promises";
import { BenchtopError } from "@benchtop/protocol";
import { expect, test } from "vitest";
import type { Caller } from "../../api/caller.ts";
import type { McpFeature } from "../feature.ts";
import { SharedWatches } from "./subscriptions.ts";

/** A resource that changes when told, and that each caller may watch until they are shown out. */
function doors() {
  const open = new Map<Caller, AbortController>();
  const follows: Caller[] = [];
  const changed = new EventTarget();
  const feature = {
    async watchResource(_: string, { caller, signal }: { caller: Caller; signal: AbortSignal }) {
      const door = open.get(caller);
      if (door === undefined) throw new BenchtopError("AUTH_REQUIRED", "Not any more.", { phase: "settings" });
      follows.push(caller);
      return changes(AbortSignal.any([signal, door.signal]));
    },
  } as unknown as McpFeature;
  async function* changes(signal: AbortSignal) {
    while (!signal.aborted) {
      await new Promise<void>((resolve) => {
        changed.addEventListener("change", () => resolve(), { once: true });
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
      if (!signal.aborted) yield 1;
    }
  }
  return {
    feature,
    follows,
    change: () => changed.dispatchEvent(new Event("change")),
    caller: (): Caller => {
      const caller = {} as Caller;
      open.set(caller, new AbortController());
      return caller;
    },
    showOut: (caller: Caller) => {
      open.get(caller)?.abort();
      open.delete(caller);
    },
  };
}

test("a resource is followed once for all, and by the next one's leave when the first may not see it any more", async () => {
  const { feature, follows, change, caller, showOut } = doors();
  const told: string[] = [];
  const watches = new SharedWatches([feature], (uri) => told.push(uri));
  const [first, second] = [caller(), caller()];
  const leaving = new AbortController();
  await watches.join("a", first, new AbortController().signal);
  await watches.join("a", second, leaving.signal);
  change();
  await expect.poll(() => told).toEqual(["a"]);

  showOut(first);
  await expect.poll(() => follows.at(-1)).toBe(second);
  change();
  await expect.poll(() => told).toEqual(["a", "a"]);

  leaving.abort();
  await sleep(0);
  change();
  await expect(watches.join("a", first, new AbortController().signal)).rejects.toMatchObject({ code: "AUTH_REQUIRED" });
  expect(told).toEqual(["a", "a"]);
});
