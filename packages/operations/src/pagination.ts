import { z } from "zod";

/** Fields of every list operation. The cursor is opaque: pass back what the last page gave. */
export const pageInput = {
  cursor: z.string().max(500).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
};

export function page<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() });
}

export const Empty = z.object({});
