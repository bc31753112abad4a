import type { Client } from "@benchtop/client";
import type { Workspace } from "@benchtop/operations";
import { allItems, oneOf } from "./commands/names.ts";

/** The workspace of this name or id, among those that the caller may see. Throws `NOT_FOUND`, or says that several fit. */
export async function findWorkspace(client: Client, word: string): Promise<Workspace> {
  const workspaces = await allItems((cursor) => client.call("workspaces.list", { limit: 1000, ...cursor }));
  return oneOf(workspaces, "workspace", word, ({ workspaceId, name }) => [workspaceId, name]);
}
