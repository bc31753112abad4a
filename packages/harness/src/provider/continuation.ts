import type { AssistantMessage, Continuation, Json, ToolCall } from "@benchtop/protocol";
import type { ProviderId } from "./provider.ts";

/** Whose blocks a continuation holds: they are signed or encrypted for one provider and one model. */
export interface Origin {
  readonly protocol: string;
  readonly providerId: ProviderId;
  readonly modelId: string;
}

export type Block = { readonly [member: string]: Json };

/**
 * What an answer consists of: its texts and calls, and between them the protocol's own blocks, to be sent back unread. `extra`
 * is what the protocol said beside a text or a call and wants to see again with it.
 */
export type Piece =
  | { readonly kind: "text"; readonly text: string; readonly extra?: Block }
  | { readonly kind: "call"; readonly call: ToolCall; readonly extra?: Block }
  | { readonly kind: "block"; readonly block: Block };

/** The place of a text or a call in an answer. Their content is the message's own, because it may be changed later. */
export type Place =
  | { readonly kind: "text"; readonly length: number; readonly extra?: Block }
  | { readonly kind: "call"; readonly extra?: Block }
  | { readonly kind: "block"; readonly block: Block };

export function continuationOf({ protocol, providerId, modelId }: Origin, places: readonly Place[]): Continuation {
  return { protocol, blocks: [{ kind: "origin", providerId, modelId }, ...places] };
}

/**
 * An answer in the order in which the model gave it. The blocks of another protocol, provider or model are left out, and those
 * after which nothing follows any more, because no protocol takes these.
 */
export function piecesOf(message: AssistantMessage, origin: Origin): Piece[] {
  const places = placesOf(message, origin);
  const texts = textsOf(message.content || (message.refusal ?? ""), places);
  const callPlaces = places.filter((place) => place.kind === "call");
  const calls = (message.toolCalls ?? []).map((call, index): Piece => ({
    kind: "call",
    call,
    ...extraOf(callPlaces[index]),
  }));
  const pieces: Piece[] = [];
  let waiting: Piece[] = [];
  const add = (piece: Piece | undefined) => {
    if (!piece) return;
    pieces.push(...waiting, piece);
    waiting = [];
  };
  for (const place of places) {
    if (place.kind === "block") waiting.push(place);
    else add(place.kind === "text" ? texts.shift() : calls.shift());
  }
  for (const piece of [...texts, ...calls]) add(piece);
  return pieces;
}

function placesOf({ continuation }: AssistantMessage, origin: Origin): readonly Place[] {
  if (continuation?.protocol !== origin.protocol) return [];
  const [from, ...places] = continuation.blocks.filter(isBlock);
  const isOwn = from?.["providerId"] === origin.providerId && from["modelId"] === origin.modelId;
  return isOwn ? (places as unknown as Place[]) : [];
}

function isBlock(value: Json): value is { [member: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The text as one piece, or as the several in which it came, where it still is that text. */
function textsOf(text: string, places: readonly Place[]): Piece[] {
  if (text === "") return [];
  const parts = places.filter((place) => place.kind === "text");
  const isWhole = parts.reduce((sum, { length }) => sum + length, 0) === text.length;
  if (!isWhole) return [{ kind: "text", text, ...extraOf(parts.at(-1)) }];
  let start = 0;
  return parts.map((part) => {
    const piece = text.slice(start, start + part.length);
    start += part.length;
    return { kind: "text", text: piece, ...extraOf(part) };
  });
}

function extraOf(place: { readonly extra?: Block } | undefined): { readonly extra?: Block } {
  return place?.extra === undefined ? {} : { extra: place.extra };
}
