import { createHash } from "node:crypto";
import { BenchtopError, newId } from "@benchtop/protocol";
import type { Catalogue } from "../catalogue/catalogue.ts";
import type { Agents } from "../draft/agents.ts";
import { now, type Database, type Environment, type Transaction } from "../environment.ts";
import type { Selectable } from "../rows.ts";

/** What the agents of a workbench are always told. */
export interface ContextItem {
  readonly itemId: string;
  readonly kind: "situation" | "style-guide" | "reference";
  readonly title: string;
  readonly content: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** They are in every prompt, so they are few and short. */
const maxItems = 20;
const maxCharacters = 200_000;

/**
 * The context items of a workbench: a person's word on what it is about and how it has to be written. They are sent with
 * every turn, so they are part of what is consented to, and cannot change while an agent works.
 */
export class ContextItems {
  readonly #environment: Environment;
  readonly #catalogue: Catalogue;
  readonly #agents: Agents;

  constructor(environment: Environment, catalogue: Catalogue, agents: Agents) {
    this.#environment = environment;
    this.#catalogue = catalogue;
    this.#agents = agents;
  }

  /** In the order in which they were made. */
  async list({ workbenchId }: { workbenchId: string }): Promise<{ items: ContextItem[] }> {
    const { id } = await this.#catalogue.find(workbenchId);
    return { items: await contextItemsOf(this.#environment.store.db, id) };
  }

  /** Adds one, or replaces the one of that id. Throws `NOT_FOUND` for an id that is none, `VALIDATION_FAILED` for too many. */
  async put(input: {
    workbenchId: string;
    itemId?: string | undefined;
    kind: ContextItem["kind"];
    title: string;
    content: string;
  }): Promise<ContextItem> {
    const { id: workbenchId } = await this.#catalogue.find(input.workbenchId);
    const { store, locks } = this.#environment;
    return await locks.run(workbenchId, async () => {
      this.#agents.refuseWhileActive(workbenchId);
      const items = await contextItemsOf(store.db, workbenchId);
      const known = items.find(({ itemId }) => itemId === input.itemId);
      if (input.itemId !== undefined && !known) throw unknown(workbenchId);
      refuseTooMuch(workbenchId, [...items.filter((item) => item !== known), input]);
      const at = now();
      const { kind, title, content } = input;
      if (known) {
        await store.db
          .updateTable("context_items")
          .set({ kind, title, content, updated_at: at })
          .where("id", "=", known.itemId)
          .execute();
      } else {
        await store.db
          .insertInto("context_items")
          .values({
            id: newId("contextItem"),
            workbench_id: workbenchId,
            kind,
            title,
            content,
            created_at: at,
            updated_at: at,
          })
          .execute();
      }
      await store.flush();
      const after = await contextItemsOf(store.db, workbenchId);
      const item = known ? after.find(({ itemId }) => itemId === known.itemId) : after.at(-1);
      if (!item) throw unknown(workbenchId);
      return item;
    });
  }

  async remove({ workbenchId, itemId }: { workbenchId: string; itemId: string }): Promise<Record<string, never>> {
    const { id } = await this.#catalogue.find(workbenchId);
    const { store, locks } = this.#environment;
    return await locks.run(id, async () => {
      this.#agents.refuseWhileActive(id);
      const { numDeletedRows } = await store.db
        .deleteFrom("context_items")
        .where("workbench_id", "=", id)
        .where("id", "=", itemId)
        .executeTakeFirstOrThrow();
      if (Number(numDeletedRows) === 0) throw unknown(id);
      await store.flush();
      return {};
    });
  }
}

export async function contextItemsOf(db: Database | Transaction, workbenchId: string): Promise<ContextItem[]> {
  const rows = await db
    .selectFrom("context_items")
    .selectAll()
    .where("workbench_id", "=", workbenchId)
    .orderBy("created_at")
    .orderBy("id")
    .execute();
  return rows.map(present);
}

/** What a scope of consent names of an item: another text is another item. */
export function itemHash({ kind, title, content }: Pick<ContextItem, "kind" | "title" | "content">): string {
  return createHash("sha256")
    .update(JSON.stringify([kind, title, content]))
    .digest("hex");
}

function present(row: Selectable<"context_items">): ContextItem {
  return {
    itemId: row.id,
    kind: row.kind,
    title: row.title,
    content: row.content,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function refuseTooMuch(workbenchId: string, items: readonly { readonly content: string }[]): void {
  const characters = items.reduce((sum, { content }) => sum + content.length, 0);
  if (items.length <= maxItems && characters <= maxCharacters) return;
  const message =
    items.length > maxItems
      ? `A workbench has at most ${maxItems} context items. Remove one first.`
      : `The context items of a workbench have at most ${maxCharacters} characters together. Shorten them, or put this into a file.`;
  throw new BenchtopError("VALIDATION_FAILED", message, {
    phase: "workbench",
    workbenchId,
    detail: { items: items.length, characters, maxItems, maxCharacters },
  });
}

function unknown(workbenchId: string): BenchtopError {
  return new BenchtopError("NOT_FOUND", "There is no such context item in this workbench. List them again.", {
    phase: "workbench",
    workbenchId,
  });
}
