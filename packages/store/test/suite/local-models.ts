import { expect } from "vitest";
import { isUniqueViolation } from "../../src/unique-violation.ts";
import type { LocalModelsTable } from "../../src/schema.ts";
import { withStores, type SuiteSubject } from "./subject.ts";

/** What the registry of local models relies on, on either database. */
export function localModelSuite(subject: SuiteSubject): void {
  subject.test("P2.1 one model of a name is ready in an installation, while others of it come and go", async () => {
    await withStores(subject, async (open) => {
      const { db } = await open();
      const insert = (row: Partial<LocalModelsTable>) =>
        db
          .insertInto("local_models")
          .values({ ...model, ...row })
          .execute();
      await insert({ id: "a" });
      await insert({ id: "b", state: "installing" });
      await insert({ id: "c", state: "removing" });
      await insert({ id: "d", installation: "another" });
      const second: unknown = await insert({ id: "e" }).catch((error: unknown) => error);
      expect(isUniqueViolation(second)).toBe(true);
      await db.transaction().execute(async (transaction) => {
        await transaction.updateTable("local_models").set({ state: "removing" }).where("id", "=", "a").execute();
        await transaction.updateTable("local_models").set({ state: "ready" }).where("id", "=", "b").execute();
      });
      const rows = await db.selectFrom("local_models").selectAll().where("state", "=", "ready").orderBy("id").execute();
      expect(rows).toEqual([
        { ...model, id: "b" },
        { ...model, id: "d", installation: "another" },
      ]);
    });
  });
}

/** Larger than 32 bits hold. */
const model: LocalModelsTable = {
  id: "",
  installation: "here",
  name: "small",
  state: "ready",
  folder: "small",
  kind: "model",
  source: "{}",
  files: "[]",
  bytes: 40_000_000_000,
  title: null,
  licence: null,
  architecture: "llama",
  parameters: 70_000_000_000,
  context_tokens: 4_294_967_296,
  quantization: "Q4_K_M",
  has_chat_template: 1,
  embeds: 0,
  defaults: null,
  manifest: null,
  pinned: 0,
  damaged: 0,
  installed_at: "2026-11-01T00:00:00.000Z",
  used_at: null,
};
