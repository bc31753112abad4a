import type { AssistantMessage, Continuation, Json } from "@benchtop/protocol";
import type { ProviderId } from "./provider.ts";

/** Whose blocks a continuation holds: they are signed or encrypted for one provider and one model. */
export interface Origin {
  readonly protocol: string;
  readonly providerId: ProviderId;
  readonly modelId: string;
}

/** The first block names the origin, the others are the protocol's own. */
export function continuationOf({ protocol, providerId, modelId }: Origin, blocks: readonly Json[]): Continuation {
  return { protocol, blocks: [{ type: "origin", providerId, modelId }, ...blocks] };
}

/** The blocks of a message that the same model of the same provider may see again; none where another one wrote it. */
export function continuedBlocks({ continuation }: AssistantMessage, origin: Origin): readonly Block[] {
  if (continuation?.protocol !== origin.protocol) return [];
  const [from, ...blocks] = continuation.blocks.filter(isBlock);
  return from?.["providerId"] === origin.providerId && from["modelId"] === origin.modelId ? blocks : [];
}

export type Block = { readonly [member: string]: Json };

function isBlock(value: Json): value is { [member: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
