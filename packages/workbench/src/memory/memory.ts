import { memoryTools, recallForRun, type LoopConfig, type MemoryScopes, type Tool } from "@benchtop/harness";
import type { KeptMemory, Store } from "@benchtop/store";
import type { Catalogue } from "../catalogue/catalogue.ts";
import type { Environment } from "../environment.ts";
import { decodeCursor, encodeCursor, type Page, type PageInput } from "../page.ts";

/**
 * What the agents of a workbench remember. They do so only where it was turned on, it is of that workbench alone, and it goes
 * to a model only under a consent that was given with memory on.
 */
export class WorkbenchMemory {
  readonly #environment: Environment;
  readonly #catalogue: Catalogue;

  constructor(environment: Environment, catalogue: Catalogue) {
    this.#environment = environment;
    this.#catalogue = catalogue;
  }

  /** Turns remembering on or off for runs that start from now on. What was remembered before stays until it is forgotten. */
  async set({ workbenchId, enabled }: { workbenchId: string; enabled: boolean }): Promise<{ enabled: boolean }> {
    const { store } = this.#environment;
    const { id } = await this.#catalogue.find(workbenchId);
    await store.db
      .updateTable("workbenches")
      .set({ memory: enabled ? 1 : 0 })
      .where("id", "=", id)
      .execute();
    await store.flush();
    return { enabled };
  }

  /** Newest first. */
  async list({
    workbenchId,
    cursor,
    limit,
  }: PageInput & { workbenchId: string }): Promise<Page<KeptMemory> & { enabled: boolean }> {
    const { id, memory } = await this.#catalogue.find(workbenchId);
    const [writtenAt, after] = decodeCursor(cursor, 2) ?? [];
    const found = await this.#environment.store.memory.list(scopeOf(id), {
      limit: limit + 1,
      ...(writtenAt !== undefined && after !== undefined && { after: { writtenAt, id: after } }),
    });
    const items = found.slice(0, limit);
    const last = items.at(-1);
    const nextCursor = found.length > limit && last ? encodeCursor([last.writtenAt, last.id]) : null;
    return { enabled: memory === 1, items, nextCursor };
  }

  /** False when there is no such memory of this workbench. */
  async forget(input: { workbenchId: string; memoryId: string }): Promise<{ forgotten: boolean }> {
    const { id } = await this.#catalogue.find(input.workbenchId);
    const forgotten = await this.#environment.store.memory.forget({ scope: scopeOf(id), id: input.memoryId });
    await this.#environment.store.flush();
    return { forgotten: forgotten > 0 };
  }

  /** Forgets everything that was remembered in a workbench. */
  async clear({ workbenchId }: { workbenchId: string }): Promise<{ forgotten: number }> {
    const { id } = await this.#catalogue.find(workbenchId);
    const forgotten = await this.#environment.store.memory.forget({ scope: scopeOf(id) });
    await this.#environment.store.flush();
    return { forgotten };
  }
}

/** How many things the agents of a workbench may be reminded of. */
export async function countMemories(store: Store, workbenchId: string): Promise<number> {
  return await store.memory.count(scopeOf(workbenchId));
}

/** The scope of everything that is remembered in a workbench, its notes included. */
export function scopeOf(workbenchId: string): string {
  return `workbench:${workbenchId}`;
}

/** With these an agent remembers and recalls. */
export function toolsOf(store: Store, workbenchId: string): readonly Tool[] {
  return memoryTools(store.memory, scopesOf(workbenchId));
}

/** What an agent is reminded of before it begins. */
export function recallFor(store: Store, workbenchId: string, task: string): LoopConfig["recall"] {
  return (run) => recallForRun(run, store.memory, scopesOf(workbenchId), task);
}

function scopesOf(workbenchId: string): MemoryScopes {
  const scope = scopeOf(workbenchId);
  return { working: scope, episodic: scope };
}
