import type { CompensationContext, ToolContext } from "@benchtop/harness";
import type { Drafts } from "../../draft/drafts.ts";

/** Who a change of a tool call is by. */
export function authorOf({ runId, callId }: Pick<ToolContext, "runId" | "callId">) {
  return { runId, callId };
}

/** Puts back what the Draft said before a call, as the call's own `DraftChanged` events tell. */
export async function takeBack(drafts: Drafts, workbenchId: string, context: CompensationContext): Promise<void> {
  for (const event of context.events.toReversed()) {
    if (event.type !== "DraftChanged") continue;
    const written = await drafts.takeBack(workbenchId, event, authorOf(context));
    if (written) await context.emit(written);
  }
}
