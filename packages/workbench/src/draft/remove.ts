import type { Transaction } from "../environment.ts";

/** Removes the rows of a Draft, and what was decided on it. */
export async function removeDraft(transaction: Transaction, draftId: string): Promise<void> {
  await transaction.deleteFrom("draft_changes").where("draft_id", "=", draftId).execute();
  await transaction.deleteFrom("draft_decisions").where("draft_id", "=", draftId).execute();
  await transaction.deleteFrom("drafts").where("id", "=", draftId).execute();
}
