import { z } from "zod";
import { operation } from "./define.ts";
import { Empty } from "./pagination.ts";
import { WorkbenchRef } from "./workbenches.ts";

const ref = { workbenchId: WorkbenchRef };

/** What the agents of a workbench are always told, part of the scope of consent. */
export const ContextItem = z.object({
  itemId: z.string(),
  /** `situation`: what this is about. `style-guide`: how it has to be written. `reference`: anything else. */
  kind: z.enum(["situation", "style-guide", "reference"]),
  title: z.string(),
  content: z.string(),
  createdAt: z.string(),
  updatedAt: z.string(),
});
export type ContextItem = z.infer<typeof ContextItem>;

export const contextItemOperations = {
  "contextItems.list": operation({
    id: "contextItems.list",
    rpc: "WorkbenchContextItemsList",
    method: "GET",
    path: "/api/v1/workbenches/{workbenchId}/context-items",
    permission: "workbenches:read",
    summary: "What the agents of a workbench are always told.",
    input: z.object(ref),
    output: z.object({ items: z.array(ContextItem) }),
    errors: ["NOT_FOUND"],
  }),
  "contextItems.put": operation({
    id: "contextItems.put",
    rpc: "WorkbenchContextItemsPut",
    method: "PUT",
    path: "/api/v1/workbenches/{workbenchId}/context-items",
    permission: "workbenches:write",
    summary: "Add a context item, or replace one. Consents that were given for others are over.",
    input: z.object({
      ...ref,
      /** Absent for a new one. */
      itemId: z.string().min(1).max(100).optional(),
      kind: ContextItem.shape.kind,
      title: z.string().trim().min(1).max(200),
      content: z.string().min(1).max(100_000),
    }),
    output: ContextItem,
    errors: ["NOT_FOUND", "DISK_FULL"],
  }),
  "contextItems.remove": operation({
    id: "contextItems.remove",
    rpc: "WorkbenchContextItemsRemove",
    method: "DELETE",
    path: "/api/v1/workbenches/{workbenchId}/context-items/{itemId}",
    permission: "workbenches:write",
    summary: "Remove a context item.",
    input: z.object({ ...ref, itemId: z.string().min(1).max(100) }),
    output: Empty,
    errors: ["NOT_FOUND"],
  }),
} as const;
