import { BenchtopError } from "@benchtop/protocol";
import type { Catalogue, WorkbenchRow } from "../catalogue/catalogue.ts";
import type { Environment } from "../environment.ts";
import { saving } from "../files/saving.ts";
import { tooLarge } from "../files/host-reader.ts";
import type { Uploads } from "../files/uploads.ts";
import { parseWorkbenchPath, type WorkbenchPath } from "../path/workbench-path.ts";
import type { Agents } from "./agents.ts";
import { applyChanges, type DraftContent } from "./apply.ts";
import { changedSince } from "./decisions.ts";
import { aPerson, type Drafts } from "./drafts.ts";

export interface EditInput {
  readonly workbenchId: string;
  readonly path: string;
  /** The whole text. Either this or an upload of the workspace. */
  readonly content?: string | undefined;
  readonly upload?: string | undefined;
  /** Of the file as the person saw it; null for one that was not there. */
  readonly sha256: string | null;
}

/** What a person changes in a Draft themselves. It begins with their change where there is none. */
export class ByHand {
  readonly #environment: Environment;
  readonly #catalogue: Catalogue;
  readonly #drafts: Drafts;
  readonly #agents: Agents;
  readonly #uploads: Uploads;

  constructor(
    environment: Environment,
    parts: { catalogue: Catalogue; drafts: Drafts; agents: Agents; uploads: Uploads },
  ) {
    this.#environment = environment;
    this.#catalogue = parts.catalogue;
    this.#drafts = parts.drafts;
    this.#agents = parts.agents;
    this.#uploads = parts.uploads;
  }

  /** Throws `CONFLICT_PUBLISHED_CHANGED` when the file is another one than the person saw. */
  async edit(input: EditInput): Promise<WorkbenchPath> {
    const path = parseWorkbenchPath(input.path, this.#environment.limits);
    const { id } = await this.#catalogue.find(input.workbenchId);
    return await this.#environment.locks.run(id, async () => {
      this.#agents.refuseWhileActive(id);
      const row = await this.#catalogue.find(id);
      const seen = (await this.#drafts.viewOf(id)).get(path)?.sha256 ?? null;
      if (seen !== input.sha256) {
        throw changedSince(id, `"${path}" was changed since you opened it. Look at it again, then edit it.`, path);
      }
      await saving(async () => {
        const content = await this.#contentOf(row, path, input);
        await applyChanges(this.#environment, this.#drafts, id, { changes: [{ path, content }], author: aPerson });
        await this.#environment.store.flush();
      });
      return path;
    });
  }

  async #contentOf(row: WorkbenchRow, path: WorkbenchPath, { content, upload }: EditInput): Promise<DraftContent> {
    if ((content === undefined) === (upload === undefined)) {
      throw new BenchtopError("VALIDATION_FAILED", "Give the text or an upload: one of them.", { phase: "review" });
    }
    if (content !== undefined) return await this.#drafts.keepText(path, content);
    const bytes = await this.#uploads.take(row.workspace_id, upload ?? "");
    if (bytes === undefined) {
      throw new BenchtopError("NOT_FOUND", `The upload for "${path}" is not there. Upload the file again.`, {
        phase: "review",
      });
    }
    const { maxFileBytes } = this.#environment.limits;
    if (bytes > maxFileBytes) throw tooLarge(path, bytes, maxFileBytes);
    return { sha256: upload ?? "", bytes };
  }
}
