import { z } from "zod";
import { operation } from "./define.ts";
import { pageInput } from "./pagination.ts";
import { WorkbenchRef } from "./workbenches.ts";

const ref = { workbenchId: WorkbenchRef };

/** One thing that the agents of a workbench remember. */
export const KeptMemory = z.object({
  id: z.string(),
  /** `working`: a note with a key, told to every run. `episodic`: a text that is found by what a task is about. */
  lane: z.enum(["working", "episodic"]),
  key: z.string().nullable(),
  text: z.string(),
  writtenAt: z.string(),
});
export type KeptMemory = z.infer<typeof KeptMemory>;

export const memoryOperations = {
  "memory.set": operation({
    id: "memory.set",
    rpc: "MemorySet",
    method: "PUT",
    path: "/api/v1/workbenches/{workbenchId}/memory",
    permission: "workbenches:write",
    summary:
      "Let the agents of a workbench remember, or not, in runs that start from now on. Off until it is turned on.",
    input: z.object({ ...ref, enabled: z.boolean() }),
    output: z.object({ enabled: z.boolean() }),
    errors: ["NOT_FOUND"],
  }),
  "memory.list": operation({
    id: "memory.list",
    rpc: "MemoryList",
    method: "GET",
    path: "/api/v1/workbenches/{workbenchId}/memory",
    permission: "workbenches:read",
    summary: "What the agents of a workbench remember, newest first.",
    input: z.object({ ...ref, ...pageInput }),
    output: z.object({ enabled: z.boolean(), items: z.array(KeptMemory), nextCursor: z.string().nullable() }),
    errors: ["NOT_FOUND"],
  }),
  "memory.forget": operation({
    id: "memory.forget",
    rpc: "MemoryForget",
    method: "DELETE",
    path: "/api/v1/workbenches/{workbenchId}/memory/{memoryId}",
    permission: "workbenches:write",
    summary: "Forget one thing. Journals of runs that were told it keep it until they are deleted.",
    input: z.object({ ...ref, memoryId: z.string().min(1).max(100) }),
    output: z.object({ forgotten: z.boolean() }),
    errors: ["NOT_FOUND"],
  }),
  "memory.clear": operation({
    id: "memory.clear",
    rpc: "MemoryClear",
    method: "DELETE",
    path: "/api/v1/workbenches/{workbenchId}/memory",
    permission: "workbenches:write",
    summary: "Forget everything that the agents of a workbench remember.",
    input: z.object(ref),
    output: z.object({ forgotten: z.int() }),
    errors: ["NOT_FOUND"],
  }),
} as const;
