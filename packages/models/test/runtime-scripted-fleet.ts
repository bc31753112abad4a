import assert from "node:assert/strict";
import type { ProviderPart, ProviderRequest } from "@benchtop/harness";
import type { FleetEvent } from "../src/runtimes/embedded/fleet-events.ts";
import { Fleet, type FleetOptions } from "../src/runtimes/embedded/fleet.ts";
import type { LoadOptions } from "../src/runtimes/runtime.ts";
import { ScriptedModels, ScriptedStart } from "./runtime-scripted-llama.ts";

const never = new AbortController().signal;

export interface AskOptions {
  readonly signal?: AbortSignal;
  readonly load?: LoadOptions;
}

/** A fleet of scripted processes with memory for 100; each model takes what its name says. */
export class ScriptedFleet {
  readonly models = new ScriptedModels();
  readonly processes = new ScriptedStart();
  readonly events: FleetEvent[] = [];
  readonly fleet: Fleet;

  constructor(options: Partial<FleetOptions> = {}) {
    for (const name of ["a-40", "b-40", "c-40", "big-90", "huge-500"]) this.models.add(name);
    this.fleet = new Fleet({
      id: "benchtop",
      models: this.models,
      start: this.processes.start,
      estimateMemory: ({ name }) => Number(name.split("-").at(-1)),
      memory: { bytes: 100 },
      keepAliveSeconds: null,
      firstRetryDelayMs: 5,
      ...options,
    });
    this.fleet.watch((event) => this.events.push(event));
  }

  /** Asks, and goes on once the model has begun to speak. */
  async begin(model: string, options: AskOptions = {}) {
    const parts = this.#ask(model, "go on", options)[Symbol.asyncIterator]();
    const said: ProviderPart[] = [];
    for (let batches = 0; batches < 2; batches += 1) said.push(...((await parts.next()).value ?? []));
    assert.deepEqual(said, [{ type: "text", text: "hel" }]);
    return {
      async rest(): Promise<ProviderPart[]> {
        for (let next = await parts.next(); next.done !== true; next = await parts.next()) said.push(...next.value);
        return said;
      },
      leave: async () => void (await parts.return?.(undefined)),
    };
  }

  async answer(model: string, options: AskOptions = {}): Promise<string> {
    let text = "";
    for await (const parts of this.#ask(model, "now", options)) {
      for (const part of parts) if (part.type === "text") text += part.text;
    }
    return text;
  }

  async loaded(): Promise<string[]> {
    return (await this.fleet.list(never)).filter(({ loads }) => loads.length > 0).map(({ model }) => model);
  }

  async waiting(): Promise<number> {
    return (await this.fleet.metrics(never)).waiting;
  }

  async pathOf(name: string): Promise<string> {
    return (await this.models.find(name))?.files[0].path ?? "";
  }

  async close(): Promise<void> {
    await this.fleet.close();
    assert.deepEqual(this.processes.alive, []);
    this.models.remove();
  }

  #ask(model: string, content: string, { signal = never, load }: AskOptions): AsyncIterable<readonly ProviderPart[]> {
    const request: ProviderRequest = { modelId: model, messages: [{ role: "user", content }] };
    return this.fleet.adapter(model, { ...(load && { load }) }).stream(request, signal);
  }
}
