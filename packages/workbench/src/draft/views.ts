import type { Environment } from "../environment.ts";
import { refuseTaken, Names } from "../path/names.ts";
import type { WorkbenchPath } from "../path/workbench-path.ts";
import type { Manifest } from "../files/manifest.ts";
import type { DraftRow } from "./drafts.ts";
import { DraftView } from "./view.ts";

interface Known {
  readonly base: string;
  readonly revision: number;
  readonly view: DraftView;
  /** Every path that this Draft ever added, and perhaps took back since. */
  readonly added: Names;
}

/** Drafts that are in use at once; each costs as much memory as it has changes. */
const remembered = 8;

/**
 * Views of Drafts, kept between calls: a write of a Draft of thousands of files reads the rows that are new, and no others.
 * Rows are only ever added; whoever changes one in its place calls `forget`.
 */
export class DraftViews {
  readonly #environment: Environment;
  readonly #known = new Map<string, Known>();
  readonly #namesOf = new WeakMap<Manifest, Names>();
  /** Grows with each `forget`: what was read before one is not kept after it. */
  #forgotten = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  async view(draft: DraftRow): Promise<DraftView> {
    return (await this.#find(draft)).view;
  }

  forget(draftId: string): void {
    this.#known.delete(draftId);
    this.#forgotten += 1;
  }

  /**
   * Throws `VALIDATION_FAILED` when a path that a Draft is about to add collides with what there is. `left` are all paths
   * that there would be; they are asked for only where a name that may be gone meanwhile stands in the way.
   */
  async refuseTaken(
    { draft, view }: { readonly draft: DraftRow | undefined; readonly view: DraftView },
    paths: readonly WorkbenchPath[],
    left: () => Iterable<string>,
  ): Promise<void> {
    const base = this.#baseNames(view.base);
    const added = draft && (await this.#find(draft)).added;
    const together = new Names();
    const free = paths.every((path) => {
      const names = [base, together, ...(added ? [added] : [])];
      const isFree = names.every((taken) => taken.conflictOf(path) === undefined);
      if (isFree) together.add(path);
      return isFree;
    });
    if (!free) refuseTaken(left(), paths);
  }

  async #find(draft: DraftRow): Promise<Known> {
    const known = this.#known.get(draft.id);
    const goesOn = known?.base === draft.base_manifest_hash && known.revision <= draft.revision ? known : undefined;
    if (goesOn?.revision === draft.revision) return goesOn;
    const { store, manifests } = this.#environment;
    const forgotten = this.#forgotten;
    const rows = await store.db
      .selectFrom("draft_changes")
      .selectAll()
      .where("draft_id", "=", draft.id)
      .where("revision", ">", goesOn?.revision ?? 0)
      .where("revision", "<=", draft.revision)
      .execute();
    const view = goesOn ? goesOn.view.with(rows) : new DraftView(await manifests.load(draft.base_manifest_hash), rows);
    const added = goesOn?.added ?? new Names();
    for (const { path, change } of rows) if (change === "added") added.claim(path);
    const fresh = { base: draft.base_manifest_hash, revision: draft.revision, view, added };
    if (this.#forgotten !== forgotten) return fresh;
    this.#known.delete(draft.id);
    this.#known.set(draft.id, fresh);
    const [oldest] = this.#known.keys();
    if (this.#known.size > remembered && oldest !== undefined) this.#known.delete(oldest);
    return fresh;
  }

  #baseNames(base: Manifest): Names {
    const known = this.#namesOf.get(base);
    if (known) return known;
    const names = new Names(base.byPath.keys());
    this.#namesOf.set(base, names);
    return names;
  }
}
