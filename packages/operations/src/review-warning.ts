import { z } from "zod";

/** Something about a file that a person should look at before they agree. */
export const ReviewWarning = z.object({
  kind: z.enum([
    /** A cell that a spreadsheet program would run as a formula. */
    "csv-formula",
    /** A name or text that looks like another: mixed scripts, invisible or direction-changing characters. */
    "spoofed-text",
    /** The document names something elsewhere: a link to data, a template, an image. */
    "external-reference",
    /** The document holds a program. */
    "macro",
    "invalid-utf8",
    "long-line",
    /** The document is damaged, or built to do harm; it is shown as bytes. */
    "unreadable",
  ]),
  message: z.string(),
  /** A cell, a line, a part; null for the whole file. */
  where: z.string().nullable(),
});
export type ReviewWarning = z.infer<typeof ReviewWarning>;
