import { z } from "zod";
import type { Schema } from "../format.ts";

const slide = z.int().min(1).describe("Number of the slide, from 1, as it is when this edit's turn comes.");
const shape = z.string().min(1).max(20).describe("Id of the shape, as the description of the presentation gives it.");
const paragraph = z.int().min(1).describe("Number of the paragraph in the shape, from 1.");
const text = z.string().max(20_000);

export const SlideEdit = z.discriminatedUnion("edit", [
  z.strictObject({
    edit: z.literal("set-text"),
    slide,
    shape,
    paragraph: paragraph.optional(),
    text: text.describe("Of one paragraph; without `paragraph`, of the whole shape, one paragraph a line."),
  }),
  z.strictObject({
    edit: z.literal("set-cell"),
    slide,
    shape,
    row: z.int().min(1),
    column: z.int().min(1),
    text,
  }),
  z.strictObject({
    edit: z.literal("add-paragraph"),
    slide,
    shape,
    after: z.int().min(0).optional().describe("The paragraph before the new one; 0 for none, the last if left out."),
    level: z.int().min(1).max(9).optional().describe("Depth in a list, from 1; that of its neighbour if left out."),
    text,
  }),
  z.strictObject({ edit: z.literal("remove-paragraph"), slide, shape, paragraph }),
  z.strictObject({
    edit: z.literal("replace-text"),
    find: z.string().min(1).max(2_000).describe("Taken literally; within one paragraph."),
    replace: z.string().max(20_000),
    slide: slide.optional().describe("Only there; on all slides and in their notes if left out."),
  }),
  z.strictObject({ edit: z.literal("set-notes"), slide, text }),
  z.strictObject({ edit: z.literal("delete-slide"), slide }),
  z.strictObject({ edit: z.literal("duplicate-slide"), slide }),
  z.strictObject({ edit: z.literal("move-slide"), slide, to: z.int().min(1).describe("Its number afterwards.") }),
  z.strictObject({
    edit: z.literal("add-slide"),
    after: z.int().min(0).optional().describe("The slide before the new one; 0 for none, the last if left out."),
    layout: z.string().max(200).optional().describe("Name of a layout; one with a title and a body if left out."),
    title: text.optional(),
    body: z.array(z.string().max(5_000)).max(100).optional().describe("Paragraphs of the first body."),
  }),
]);
export type SlideEdit = z.infer<typeof SlideEdit>;

export const editSchema: Schema = z.toJSONSchema(SlideEdit);
