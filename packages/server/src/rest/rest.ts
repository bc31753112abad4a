import type { IncomingMessage, ServerResponse } from "node:http";
import { callOperation, type Answer, type CallParts } from "../api/call-operation.ts";
import { sendDownload, sendJson } from "../http/answer.ts";
import { browserOf, goneSignal } from "../http/caller.ts";
import { hasBody, readUpload, type BodyLimits } from "../http/body.ts";
import type { OwnAddresses } from "../identity/origin.ts";
import { proofOf } from "../identity/proof.ts";
import { sendEventStream } from "./event-stream.ts";
import { gatherInput } from "./gather-input.ts";
import type { Match } from "./routes.ts";

export interface RestParts extends CallParts {
  readonly limits: BodyLimits;
  readonly addresses: () => OwnAddresses;
}

export interface RestRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly match: Match;
  readonly query: URLSearchParams;
  readonly requestId: string;
}

/** One operation asked for by its route. Throws what `callOperation` throws; the answer is sent already otherwise. */
export async function serveRest(parts: RestParts, rest: RestRequest): Promise<void> {
  const { request, response, match, query, requestId } = rest;
  const { entry } = match;
  const key = request.headers["idempotency-key"];
  const signal = goneSignal(response);
  const answer = await callOperation(parts, {
    entry,
    transport: "rest",
    requestId,
    proof: proofOf(request, parts.addresses()),
    signal,
    fields: () => gatherInput(request, match, query, parts.limits),
    idempotencyKey: typeof key === "string" ? key : undefined,
    onReplayed: () => response.setHeader("Idempotency-Replayed", "true"),
    lastEventId: lastEventIdOf(request),
    ...(entry.operation.transfer === "upload" && hasBody(request) && { body: () => readUpload(request, parts.limits) }),
    browser: browserOf(parts.addresses(), request, response),
  });
  await send(rest, answer, signal);
}

async function send({ request, response, match }: RestRequest, answer: Answer, signal: AbortSignal): Promise<void> {
  switch (answer.kind) {
    case "value":
      return sendJson(response, match.entry.operation.status ?? 200, JSON.stringify(answer.output));
    case "events":
      return await sendEventStream(request, response, answer.source, signal);
    case "download":
      return await sendDownload(request, response, answer.download);
  }
}

function lastEventIdOf(request: IncomingMessage): string | undefined {
  const id = request.headers["last-event-id"];
  return typeof id === "string" ? id : undefined;
}
