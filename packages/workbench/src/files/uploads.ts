import type { BlobRef } from "@benchtop/store";
import { now, type Environment } from "../environment.ts";

/**
 * Content that was sent and waits to be put somewhere. It is known in the workspace that it was sent to, for a day; whoever
 * knows its hash elsewhere knows nothing: content that another workspace has is as good as none.
 */
export class Uploads {
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Takes the bytes. Rejects with `VALIDATION_FAILED` when there are more than `maxBytes`. */
  async receive(input: {
    readonly content: AsyncIterable<Uint8Array>;
    readonly maxBytes: number;
    readonly userId: string;
    readonly workspaceId: string;
  }): Promise<BlobRef> {
    const { store } = this.#environment;
    const blob = await store.blobs.putStream(input.content, { maxBytes: input.maxBytes });
    const sent = { user_id: input.userId, created_at: now() };
    await store.db
      .insertInto("uploads")
      .values({ ...blob, ...sent, workspace_id: input.workspaceId })
      .onConflict((conflict) => conflict.columns(["workspace_id", "sha256"]).doUpdateSet(sent))
      .execute();
    return blob;
  }

  /** The size of what was sent to a workspace, kept for whoever is about to name it; undefined when it is not there. */
  async take(workspaceId: string, sha256: string): Promise<number | undefined> {
    const { store } = this.#environment;
    const upload = await store.db
      .selectFrom("uploads")
      .select("bytes")
      .where("workspace_id", "=", workspaceId)
      .where("sha256", "=", sha256)
      .executeTakeFirst();
    return upload && (await store.blobs.keep(sha256)) ? upload.bytes : undefined;
  }
}
