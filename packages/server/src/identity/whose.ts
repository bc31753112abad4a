import type { Identity } from "@benchtop/operations";

/** Whose a thing becomes that an identity makes. */
export function whoseOf({ userId, workspaceId }: Identity): { readonly userId: string; readonly workspaceId: string } {
  return { userId, workspaceId };
}
