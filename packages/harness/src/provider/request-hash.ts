import { createHash, hash, type Hash } from "node:crypto";
import type { Attachment, Message, RequestParts } from "@benchtop/protocol";
import type { ToolSpec } from "../tools/tool.ts";
import { canonicalJson } from "./canonical-json.ts";
import type { ProviderRequest } from "./provider.ts";

/** What a request is known by: its hash, and a short hash of each of its parts, to tell which of them is another. */
export interface RequestIdentity {
  readonly requestHash: string;
  readonly requestParts: RequestParts;
}

/**
 * Hashes (sha256) of the request as canonical JSON, in which the order of an object's members does not matter. An attachment
 * counts by the sha256 of its bytes, so that one given as `data` and one given by its hash are the same.
 */
export function requestIdentity({ messages, tools = [], ...settings }: ProviderRequest): RequestIdentity {
  const parts = {
    ...conversationHashes(messages),
    tools: toolsHash(tools),
    settings: sha256(canonicalJson(settings)),
  };
  return {
    requestHash: joinedHash(Object.values(parts)),
    requestParts: {
      instructions: shown(parts.instructions),
      messages: shown(parts.messages),
      tools: shown(parts.tools),
      settings: shown(parts.settings),
    },
  };
}

export function requestHash(request: ProviderRequest): string {
  return requestIdentity(request).requestHash;
}

/** Enough to tell two parts apart. */
function shown(partHash: string): string {
  return partHash.slice(0, 16);
}

function isInstruction({ role }: Message): boolean {
  return role === "system";
}

/** A conversation as far as it was asked about; the next request mostly adds to it, and only that is hashed then. */
interface Hashed {
  readonly messages: Message[];
  readonly instructions: JoinedHash;
  readonly others: JoinedHash;
}

/** By their first message. */
const conversations = new WeakMap<Message, Hashed>();

function conversationHashes(messages: readonly Message[]): { instructions: string; messages: string } {
  const known = messages[0] && conversations.get(messages[0]);
  const hashed =
    known && known.messages.every((message, place) => message === messages[place])
      ? known
      : { messages: [], instructions: new JoinedHash(), others: new JoinedHash() };
  for (const message of messages.slice(hashed.messages.length)) {
    if (isInstruction(message)) hashed.instructions.add(messageHash(message));
    hashed.others.add(isInstruction(message) ? "instructions" : messageHash(message));
    hashed.messages.push(message);
  }
  if (messages[0]) conversations.set(messages[0], hashed);
  return { instructions: hashed.instructions.digest(), messages: hashed.others.digest() };
}

/** What `joinedHash` gives, of pieces that are added one by one. */
class JoinedHash {
  readonly #hash: Hash = createHash("sha256");
  #isEmpty = true;

  add(piece: string): void {
    this.#hash.update(this.#isEmpty ? piece : `\n${piece}`);
    this.#isEmpty = false;
  }

  digest(): string {
    return this.#hash.copy().digest("hex");
  }
}

/** Messages, tools and bytes are hashed once for each object, however many requests repeat them. */
const messageHashes = new WeakMap<Message, string>();
const toolsHashes = new WeakMap<readonly ToolSpec[], string>();
const attachmentHashes = new WeakMap<Attachment, string>();

function messageHash(message: Message): string {
  return remembered(messageHashes, message, () => {
    if (message.role !== "user" || !message.attachments) return sha256(canonicalJson(message));
    return sha256(canonicalJson({ ...message, attachments: message.attachments.map(identityOf) }));
  });
}

function toolsHash(tools: readonly ToolSpec[]): string {
  return remembered(toolsHashes, tools, () => sha256(canonicalJson(tools)));
}

function identityOf(attachment: Attachment): Attachment {
  const { data, ...rest } = attachment;
  if (data === undefined || rest.sha256 !== undefined) return rest;
  return { ...rest, sha256: remembered(attachmentHashes, attachment, () => sha256(Buffer.from(data, "base64"))) };
}

function remembered<Key extends object>(hashes: WeakMap<Key, string>, key: Key, compute: () => string): string {
  const known = hashes.get(key);
  if (known !== undefined) return known;
  const computed = compute();
  hashes.set(key, computed);
  return computed;
}

function joinedHash(hashes: readonly string[]): string {
  return sha256(hashes.join("\n"));
}

function sha256(data: string | Buffer): string {
  return hash("sha256", data, "hex");
}
