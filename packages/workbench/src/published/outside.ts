import { BenchtopError, newId } from "@benchtop/protocol";
import type { Catalogue, WorkbenchRow } from "../catalogue/catalogue.ts";
import type { Agents } from "../draft/agents.ts";
import { folderOf, now, type Environment } from "../environment.ts";
import type { HostReader } from "../files/host-reader.ts";
import { makeManifest, type Manifest, type ManifestEntry } from "../files/manifest.ts";
import { Names } from "../path/names.ts";
import { parseWorkbenchPath } from "../path/workbench-path.ts";
import type { OutsideChange } from "./scan.ts";
import { conflict, scanPublished, transition } from "./transition.ts";

/** What another program did to the published folder, and the two ways to deal with it. A Draft is kept by both. */
export class OutsideChanges {
  readonly #environment: Environment;
  readonly #catalogue: Catalogue;
  readonly #agents: Agents;
  readonly #reader: HostReader;

  constructor(environment: Environment, catalogue: Catalogue, agents: Agents, reader: HostReader) {
    this.#environment = environment;
    this.#catalogue = catalogue;
    this.#agents = agents;
    this.#reader = reader;
  }

  async list(ref: string): Promise<{ items: OutsideChange[] }> {
    const { id } = await this.#catalogue.find(ref);
    return await this.#environment.locks.run(id, async () => {
      const row = await this.#catalogue.find(id);
      const manifest = await this.#environment.manifests.load(row.manifest_hash);
      return { items: [...(await scanPublished(this.#environment, id, manifest)).changes] };
    });
  }

  /**
   * `adopt` takes the changes into Published and moves a Draft onto the result, so that its diff shows them; `revert` puts the
   * files back. Either way a checkpoint keeps what Benchtop had published.
   */
  async resolve(input: { workbenchId: string; strategy: "adopt" | "revert" }): Promise<{ resolved: OutsideChange[] }> {
    const { id } = await this.#catalogue.find(input.workbenchId);
    return await this.#environment.locks.run(id, async () => {
      this.#agents.refuseWhileActive(id);
      const row = await this.#catalogue.find(id);
      const from = await this.#environment.manifests.load(row.manifest_hash);
      const { changes } = await scanPublished(this.#environment, id, from);
      if (changes.length === 0) return { resolved: [] };
      const to = input.strategy === "adopt" ? await this.#adopted(row, from, changes) : from;
      await transition(this.#environment, {
        workbenchId: id,
        action: input.strategy,
        from,
        to,
        toleratesOutsideChanges: true,
        ...(input.strategy === "adopt" && { checkpoint: { reason: "files-changed", message: null } }),
        commit: async (transaction) => {
          const drafts = transaction.selectFrom("drafts").select("id").where("workbench_id", "=", id);
          // What was accepted was accepted against the old base.
          if (to.hash !== from.hash) {
            await transaction.deleteFrom("draft_decisions").where("draft_id", "in", drafts).execute();
          }
          await transaction
            .updateTable("drafts")
            .set((update) => ({
              base_manifest_hash: to.hash,
              // Whoever reviewed the Draft against the old base has to look again.
              revision: update("revision", "+", to.hash === from.hash ? 0 : 1),
              updated_at: now(),
            }))
            .where("workbench_id", "=", id)
            .execute();
        },
      });
      return { resolved: [...changes] };
    });
  }

  /**
   * Refuses to go on where the folder has something that Benchtop did not publish: it would be lost without a trace. Where
   * nobody can tell any more what was published, there is nothing to compare with.
   */
  async refuseForeign(row: WorkbenchRow): Promise<void> {
    let manifest: Manifest;
    try {
      manifest = await this.#environment.manifests.load(row.manifest_hash);
    } catch (thrown) {
      if (BenchtopError.from(thrown).code === "FILE_READ_FAILED") return;
      throw thrown;
    }
    const { changes } = await scanPublished(this.#environment, row.id, manifest);
    const foreign = changes.filter(({ change }) => change !== "deleted");
    if (foreign.length > 0) throw conflict(row.id, foreign);
  }

  /** The manifest of what lies in the folder now, its content taken into blobs by the same rules as any file that is added. */
  async #adopted(row: WorkbenchRow, from: Manifest, changes: readonly OutsideChange[]): Promise<Manifest> {
    const irregular = changes.filter((change) => change.change === "irregular").map((change) => change.path);
    if (irregular.length > 0) {
      throw new BenchtopError(
        "SANDBOX_VIOLATION",
        `Links and special files cannot be taken in: ${irregular.slice(0, 3).join(", ")}. Remove them, or put the files back (revert).`,
        { phase: "workbench", workbenchId: row.id, detail: { paths: irregular.slice(0, 50), count: irregular.length } },
      );
    }
    const entries = new Map<string, ManifestEntry>(from.byPath);
    for (const { path, change } of changes) if (change === "deleted") entries.delete(path);
    const names = new Names(entries.keys());
    const base = `${folderOf(this.#environment, row.id)}/published`;
    for (const { path, change } of changes) {
      if (change !== "added" && change !== "modified") continue;
      const checked = parseWorkbenchPath(path, this.#environment.limits);
      names.add(checked);
      const read = await this.#reader.copyIn({ base, path });
      if ("code" in read) throw conflict(row.id, [{ path, change: "irregular" }]);
      const fileId = from.byPath.get(path)?.fileId ?? newId("file");
      const classified = await this.#reader.classify(checked, read);
      entries.set(path, { fileId, path: checked, ...read, ...classified });
    }
    const adopted = makeManifest(entries.values());
    this.#reader.refuseTooMuch(adopted);
    return adopted;
  }
}
