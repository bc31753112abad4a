import { BenchtopError } from "@benchtop/protocol";
import { Refusal } from "../api/refusal.ts";
import { sendJson } from "../http/answer.ts";
import { readJsonBytes } from "../http/body.ts";
import { browserOf, goneSignal } from "../http/caller.ts";
import type { Mount } from "../http/serve-request.ts";
import type { OwnAddresses } from "../identity/origin.ts";
import { proofOf } from "../identity/proof.ts";
import { Batch } from "./batch.ts";
import { callMethod, type Caller, type RpcParts } from "./call-method.ts";
import { faultCodes, faultText, invalidRequest, isFault, parseMessage, resultText } from "./envelope.ts";
import type { Fault, Request } from "./envelope.ts";

export interface PostParts extends RpcParts {
  readonly addresses: () => OwnAddresses;
}

/** A body of this size is read from whoever sends it; a larger one only from somebody who is known. */
const anonymousBytes = 64 * 1024;

/**
 * `POST /rpc`: one message in, one out. HTTP says whether the exchange worked and JSON-RPC whether the call did: an
 * operation that fails is answered with 200, and 204 answers notifications.
 */
export function rpcMount(parts: PostParts): Mount {
  return async (request, response, { requestId }) => {
    if (request.method !== "POST") {
      throw new Refusal(405, "VALIDATION_FAILED", "This address takes POST, and WebSocket.", {
        headers: { allow: "POST" },
      });
    }
    const proof = proofOf(request, parts.addresses());
    const length = Number(request.headers["content-length"] ?? Infinity);
    if (length > anonymousBytes) await parts.identities.identify(proof);
    const text = decode(await readJsonBytes(request, parts.limits));
    const message = text === undefined ? notUtf8 : parseMessage(text);
    const key = request.headers["idempotency-key"];
    const caller: Caller = {
      proof,
      signal: goneSignal(response),
      canStream: false,
      inBatch: message.kind === "batch",
      browser: browserOf(parts.addresses(), request, response),
    };
    if (message.kind === "single") {
      const answer = await answerTo(parts, message.item, {
        ...caller,
        requestId,
        idempotencyKey: typeof key === "string" ? key : undefined,
        onReplayed: () => response.setHeader("Idempotency-Replayed", "true"),
      });
      return answer === undefined ? void response.writeHead(204).end() : sendJson(response, 200, answer);
    }
    if (key !== undefined) {
      return sendJson(response, 200, faultText(invalidRequest(null, keyInBatch)));
    }
    const served = await new Batch().run(message.items, async (item, batch) => ({
      answer: await answerTo(parts, item, caller, batch),
    }));
    const said = served.flatMap(({ answer }) => (answer === undefined ? [] : [answer]));
    if (said.length === 0) response.writeHead(204).end();
    else sendJson(response, 200, `[${said.join(",")}]`);
  };
}

const keyInBatch = "An Idempotency-Key is for one call. In a batch each call has its own params.idempotency_key.";

async function answerTo(
  parts: RpcParts,
  item: Request | Fault,
  caller: Caller,
  batch?: Batch,
): Promise<string | undefined> {
  if (isFault(item)) return faultText(item);
  const isRead = parts.registry.byRpc(item.method)?.operation.method === "GET";
  const outcome = (isRead ? batch?.refusal : undefined) ?? (await callMethod(parts, item, caller));
  if (item.id === undefined) return undefined;
  if (outcome.kind === "error") return faultText({ id: item.id, code: outcome.code, error: outcome.error });
  return resultText(item.id, outcome.kind === "result" ? outcome.result : {});
}

const notUtf8 = {
  kind: "single",
  item: {
    id: null,
    code: faultCodes.parseError,
    error: new BenchtopError("VALIDATION_FAILED", "The body is not UTF-8.", { phase: "settings" }),
  },
} as const;

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decode(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}
