import type { RunScope } from "@benchtop/harness";
import { newId, type Json } from "@benchtop/protocol";
import type { Store } from "@benchtop/store";
import type { ModelRegistry } from "../registry/registry.ts";

/** What every job on models works with. */
export interface JobParts {
  readonly registry: ModelRegistry;
  readonly store: Pick<Store, "blobs" | "journal" | "ledger">;
  /** `$BENCHTOP_HOME`. */
  readonly home: string;
}

/** How often progress goes into the journal: enough to draw it, too little to fill it. */
const intervalMs = 250;

/** Progress of a job as `PhaseChanged` events, a few a second; the first and the last of each phase always. */
export class Phases {
  readonly #run: RunScope;
  #phase = "";
  #at = 0;

  constructor(run: RunScope) {
    this.#run = run;
  }

  tell(phase: string, done: number, total: number): void {
    const now = performance.now();
    if (phase === this.#phase && done < total && now - this.#at < intervalMs) return;
    this.#phase = phase;
    this.#at = now;
    this.#run.write({ type: "PhaseChanged", phase, done, total });
  }
}

/** Keeps a JSON document with the run. */
export async function keepArtifact(run: RunScope, store: JobParts["store"], name: string, value: Json): Promise<void> {
  const blob = await store.blobs.put(new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`));
  await run.emit({
    type: "ArtifactWritten",
    artifactId: newId("artifact"),
    name,
    mediaType: "application/json",
    ...blob,
  });
}
