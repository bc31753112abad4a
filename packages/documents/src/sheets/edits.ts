import { z } from "zod";
import type { Edited, Schema } from "../format.ts";
import { refusal } from "../refusal.ts";
export type { Edited };

/** What a cell is given. Texts are texts, whatever they begin with; a formula is said to be one. */
const CellValue = z
  .union([
    z.string().max(32_767),
    z.number(),
    z.boolean(),
    z.null(),
    z.strictObject({ formula: z.string().min(1).max(8192) }),
    z.strictObject({ date: z.string().max(30) }),
  ])
  .describe(
    "A text, a number, true or false; null clears the cell; {formula} without its `=`, in the notation of Excel with English names; {date} as 2026-01-31 or 2026-01-31T12:30:00.",
  );
export type CellValue = z.infer<typeof CellValue>;

const sheet = z.string().max(200).optional().describe("Name of the sheet; the first visible one where it is left out.");
const rows = z.array(z.array(CellValue).max(16_384)).max(10_000);

const SheetEdit = z.discriminatedUnion("edit", [
  z.strictObject({
    edit: z.literal("set-cells"),
    sheet,
    cells: z
      .array(z.strictObject({ cell: z.string().max(12).describe("An address such as B3."), value: CellValue }))
      .min(1)
      .max(10_000),
  }),
  z.strictObject({
    edit: z.literal("insert-rows"),
    sheet,
    before: z.int().min(1).describe("The row that will follow the new ones."),
    rows: rows.min(1).describe("The cells of each new row, from column A; an empty list for an empty row."),
  }),
  z.strictObject({ edit: z.literal("append-rows"), sheet, rows: rows.min(1) }),
  z.strictObject({
    edit: z.literal("delete-rows"),
    sheet,
    from: z.int().min(1),
    count: z.int().min(1).optional().describe("1 where it is left out."),
  }),
  z.strictObject({ edit: z.literal("add-sheet"), name: z.string().min(1).max(31), rows: rows.optional() }),
  z.strictObject({ edit: z.literal("rename-sheet"), sheet: z.string().max(200), name: z.string().min(1).max(31) }),
]);
export type SheetEdit = z.infer<typeof SheetEdit>;

export const editSchema: Schema = z.toJSONSchema(SheetEdit) as Schema;

/** Edits of one call. */
const most = 500;

/** The edits as a model wrote them, in order: each sees what the ones before it made. */
export function parseEdits(edits: readonly unknown[]): SheetEdit[] {
  if (edits.length === 0 || edits.length > most) throw refusal(`A call has 1 to ${most} edits.`);
  return edits.map((edit, index) => {
    const parsed = SheetEdit.safeParse(edit);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    const where = issue && issue.path.length > 0 ? ` at ${issue.path.join(".")}` : "";
    throw refusal(`Edit ${index + 1} is not one that sheets know${where}: ${issue?.message ?? "see the schema"}`);
  });
}
