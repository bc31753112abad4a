import { BenchtopError } from "@benchtop/protocol";
import { parseJson } from "../api/json-text.ts";

/** JSON-RPC 2.0 (jsonrpc.org/specification): what is around a call and its answer. */
export type Id = string | number | null;

export interface Request {
  /** Undefined for a notification, which nobody answers. */
  readonly id: Id | undefined;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** An error answer: a fault of the envelope (section 5.1), or `operationFailed` with the `ErrorInfo` of the taxonomy. */
export interface Fault {
  readonly id: Id;
  readonly code: number;
  readonly error: BenchtopError;
}

export type Message =
  | { readonly kind: "single"; readonly item: Request | Fault }
  | { readonly kind: "batch"; readonly items: readonly (Request | Fault)[] };

export const faultCodes = {
  parseError: -32_700,
  invalidRequest: -32_600,
  methodNotFound: -32_601,
  invalidParams: -32_602,
  /** What every operation answers when it fails; `error.data.error_code` says how. */
  operationFailed: -32_000,
} as const;

export const maxBatch = 100;

/** Reads one message. Never throws: what is wrong becomes a fault to answer with. */
export function parseMessage(text: string): Message {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (thrown) {
    return { kind: "single", item: { id: null, code: faultCodes.parseError, error: BenchtopError.from(thrown) } };
  }
  if (!Array.isArray(value)) return { kind: "single", item: readRequest(value) };
  if (value.length === 0) return { kind: "single", item: invalidRequest(null, "A batch must not be empty.") };
  if (value.length > maxBatch) {
    return { kind: "single", item: invalidRequest(null, `A batch has ${maxBatch} calls at most.`, { max: maxBatch }) };
  }
  return { kind: "batch", items: value.map(readRequest) };
}

export function isFault(item: Request | Fault): item is Fault {
  return "code" in item;
}

export function resultText(id: Id, result: unknown): string {
  return JSON.stringify({ jsonrpc: "2.0", id, result });
}

export function faultText({ id, code, error }: Fault): string {
  return JSON.stringify({ jsonrpc: "2.0", id, error: errorObject(code, error) });
}

export function errorObject(code: number, error: BenchtopError): Record<string, unknown> {
  return { code, message: error.message, data: error.info };
}

export function notificationText(method: string, params: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ jsonrpc: "2.0", method, params });
}

export function invalidRequest(id: Id, message: string, detail?: Readonly<Record<string, string | number>>): Fault {
  return { id, code: faultCodes.invalidRequest, error: refusal(message, detail) };
}

export function invalidParams(id: Id, message: string, fields: readonly string[] = []): Fault {
  return { id, code: faultCodes.invalidParams, error: refusal(message, fields.length > 0 ? { fields } : undefined) };
}

function refusal(message: string, detail?: Readonly<Record<string, string | number | readonly string[]>>) {
  return new BenchtopError("VALIDATION_FAILED", message, {
    phase: "settings",
    ...(detail !== undefined && { detail }),
  });
}

const maxNameLength = 200;

function readRequest(value: unknown): Request | Fault {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return invalidRequest(null, "A call is a JSON object.");
  }
  const { jsonrpc, method, params } = value as Record<string, unknown>;
  const id = Object.hasOwn(value, "id") ? (value as { id: unknown }).id : undefined;
  if (id !== undefined && !isId(id)) {
    // An id that could not be given back as it came would be taken for another call's.
    return invalidRequest(null, "An id is a string of 200 characters at most, a number of safe size, or null.");
  }
  if (jsonrpc !== "2.0") return invalidRequest(id ?? null, 'A call says "jsonrpc": "2.0".');
  if (typeof method !== "string" || method === "" || method.length > maxNameLength) {
    return invalidRequest(id ?? null, "A call names its method.");
  }
  if (params === undefined) return { id, method, params: {} };
  if (typeof params !== "object" || params === null || Array.isArray(params)) {
    return invalidParams(id ?? null, "Parameters are given by name: params is an object.");
  }
  return { id, method, params: params as Record<string, unknown> };
}

function isId(id: unknown): id is Id {
  if (typeof id === "string") return id.length <= maxNameLength;
  return id === null || (typeof id === "number" && Math.abs(id) <= Number.MAX_SAFE_INTEGER);
}
