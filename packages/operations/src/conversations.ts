import { callerIdPattern } from "@benchtop/protocol";
import { z } from "zod";
import { operation } from "./define.ts";
import { page, pageInput } from "./pagination.ts";

const sessionId = {
  sessionId: z.string().regex(callerIdPattern, "1 to 128 letters, digits, dots, dashes or underscores"),
};

/** Runs that share history. It begins with its first run, of whoever names a `sessionId` that is new. */
export const Conversation = z.object({
  sessionId: z.string(),
  /** That of its first run. */
  title: z.string(),
  /** The workbench whose conversation it is. */
  workbenchId: z.string().nullable(),
  runs: z.int(),
  firstRunAt: z.string(),
  lastRunAt: z.string(),
});
export type Conversation = z.infer<typeof Conversation>;

export const conversationOperations = {
  "conversations.list": operation({
    id: "conversations.list",
    rpc: "ConversationsList",
    method: "GET",
    path: "/api/v1/conversations",
    permission: "runs:read",
    summary: "Conversations of the workspace, the one with the newest run first. Their runs: runs.list with sessionId.",
    input: z.object(pageInput),
    output: page(Conversation),
    errors: [],
  }),
  "conversations.get": operation({
    id: "conversations.get",
    rpc: "ConversationsGet",
    method: "GET",
    path: "/api/v1/conversations/{sessionId}",
    permission: "runs:read",
    summary: "One conversation.",
    input: z.object(sessionId),
    output: Conversation,
    errors: ["NOT_FOUND"],
  }),
  "conversations.delete": operation({
    id: "conversations.delete",
    rpc: "ConversationsDelete",
    method: "DELETE",
    path: "/api/v1/conversations/{sessionId}",
    permission: "runs:write",
    summary:
      "Delete the journals of every run of a conversation, all of which must have ended, also where a checkpoint or another run names them. Their ledger rows stay, without titles.",
    input: z.object(sessionId),
    output: z.object({ runs: z.int(), events: z.int() }),
    errors: ["NOT_FOUND", "DISK_FULL"],
  }),
} as const;
