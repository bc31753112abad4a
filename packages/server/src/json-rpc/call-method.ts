import { casingOf, type Operation } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol";
import { callOperation, type CallParts } from "../api/call-operation.ts";
import { errorOf } from "../api/failure.ts";
import type { BrowserSession, Download, EventSource, Progress } from "../api/handler.ts";
import { phaseOf } from "../api/phase.ts";
import type { Refusal } from "../api/refusal.ts";
import type { Registry } from "../api/registry.ts";
import type { BodyLimits } from "../http/body.ts";
import type { Proof } from "../identity/proof.ts";
import { faultCodes, type Request } from "./envelope.ts";

export interface RpcParts extends CallParts {
  readonly registry: Registry;
  readonly limits: BodyLimits;
}

/** What a call knows of the carrier that it came by. */
export interface Caller {
  readonly proof: Proof;
  readonly signal: AbortSignal;
  /** Whether events can follow the answer; `POST` ends with it. */
  readonly canStream: boolean;
  readonly inBatch: boolean;
  readonly requestId?: string;
  readonly idempotencyKey?: string | undefined;
  readonly onReplayed?: () => void;
  readonly progress?: ((progress: Progress) => void) | undefined;
  readonly browser?: BrowserSession;
}

export type Outcome =
  | { readonly kind: "result"; readonly result: unknown }
  | { readonly kind: "stream"; readonly source: EventSource; readonly operation: Operation }
  | { readonly kind: "error"; readonly code: number; readonly error: BenchtopError };

/** Parameters that belong to the call and not to the operation. */
const callParameters = ["idempotency_key", "window"] as const;

/** Carries one call out: parameters and result in snake_case, bytes in base64. Never rejects. */
export async function callMethod(parts: RpcParts, { method, params }: Request, caller: Caller): Promise<Outcome> {
  const entry = parts.registry.byRpc(method);
  if (entry === undefined) return noSuchMethod();
  const { operation } = entry;
  try {
    const answer = await callOperation(parts, {
      entry,
      transport: "json-rpc",
      proof: caller.proof,
      signal: caller.signal,
      progress: caller.progress,
      browser: caller.browser,
      ...(caller.requestId !== undefined && { requestId: caller.requestId }),
      ...(caller.onReplayed !== undefined && { onReplayed: caller.onReplayed }),
      // What is refused here is refused to those alone who may call the operation at all.
      fields: () => {
        checkCarrier(operation, caller, parts.limits);
        return fieldsOf(operation, params);
      },
      idempotencyKey: caller.idempotencyKey ?? idempotencyKeyOf(params),
      ...(operation.transfer === "upload" && { body: () => decode(params["content"]) }),
    });
    if (answer.kind === "events") return { kind: "stream", source: answer.source, operation };
    if (answer.kind === "value") return { kind: "result", result: casingOf(operation.output).toSnake(answer.output) };
    return { kind: "result", result: await encode(operation, answer.download, parts.limits) };
  } catch (thrown) {
    return failed(errorOf(thrown as BenchtopError | Refusal));
  }
}

export function failed(error: BenchtopError): Outcome {
  return { kind: "error", code: faultCodes.operationFailed, error };
}

export function noSuchMethod(): Outcome {
  const error = new BenchtopError("NOT_FOUND", "There is no such method.", { phase: "settings" });
  return { kind: "error", code: faultCodes.methodNotFound, error };
}

function checkCarrier(operation: Operation, { canStream, inBatch }: Caller, limits: BodyLimits): void {
  const { rpc, transfer, path } = operation;
  if (transfer === "stream" && !canStream) {
    throw refused(
      operation,
      `${rpc} streams, and a POST has one answer. Open a WebSocket at /rpc, use benchtop rpc --stdio, or read GET ${path} (server-sent events).`,
    );
  }
  if (inBatch && (transfer === "upload" || transfer === "download")) {
    throw refused(operation, `${rpc} carries bytes (up to ${limits.maxJsonBytes} with the rest); call it by itself.`);
  }
}

function fieldsOf(operation: Operation, params: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const own: Record<string, unknown> = { ...params };
  for (const name of callParameters) delete own[name];
  if (operation.transfer === "upload") delete own["content"];
  return casingOf(operation.input).toCamel(own) as Record<string, unknown>;
}

function idempotencyKeyOf(params: Readonly<Record<string, unknown>>): string | undefined {
  const key = params["idempotency_key"];
  // What is no key at all is refused where keys are checked.
  return key === undefined ? undefined : typeof key === "string" ? key : "";
}

/** Bytes from base64 (RFC 4648, section 4), and nothing that only resembles it. */
async function* decode(content: unknown): AsyncGenerator<Uint8Array> {
  const isBase64 = typeof content === "string" && content.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(content);
  if (!isBase64) {
    throw new BenchtopError("VALIDATION_FAILED", "content is the bytes in base64.", {
      phase: "workbench",
      detail: { fields: ["content"] },
    });
  }
  yield Buffer.from(content, "base64");
}

async function encode(operation: Operation, download: Download, limits: BodyLimits): Promise<unknown> {
  const { fileName, mediaType, sha256, bytes } = download;
  const maxBytes = Math.floor((limits.maxJsonBytes * 3) / 4) - 4096;
  if (bytes > maxBytes) {
    throw refused(
      operation,
      `This is too large for one message: ${maxBytes} bytes at most. GET ${operation.path} has no such limit.`,
      { max_bytes: maxBytes, bytes },
    );
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of download.content) chunks.push(chunk);
  const content = Buffer.concat(chunks).toString("base64");
  return { file_name: fileName, media_type: mediaType, sha256, bytes, content };
}

function refused(operation: Operation, message: string, detail?: Readonly<Record<string, number>>): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, {
    phase: phaseOf(operation.id),
    ...(detail !== undefined && { detail }),
  });
}
