import type { ErrorCode } from "@benchtop/protocol";
import type { z } from "zod";
import type { Permission } from "./permissions.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/**
 * One operation of the API, without its handler. REST, OpenAPI, the client and `benchtop call` are read from it.
 *
 * `{name}` parts of `path` are fields of `input`. The other fields travel in the query of GET and DELETE, and in the
 * JSON body elsewhere. `upload` operations take the raw request body beside `input` (which then travels in the
 * query); `download` operations answer with raw bytes; `stream` operations answer with server-sent events.
 */
export interface Operation<Input extends z.ZodObject = z.ZodObject, Output extends z.ZodType = z.ZodType> {
  /** Dotted, stable: `draft.publish`. */
  readonly id: string;
  /** The JSON-RPC and gRPC name: `DraftPublish`. */
  readonly rpc: string;
  readonly method: Method;
  /** Below the origin: `/api/v1/…`. */
  readonly path: string;
  readonly permission: Permission;
  /** One line for help texts and the reference. */
  readonly summary: string;
  readonly input: Input;
  readonly output: Output;
  /** Codes beyond `AUTH_REQUIRED`, `PERMISSION_DENIED`, `VALIDATION_FAILED`, `INTERNAL`, which any operation may answer. */
  readonly errors: readonly ErrorCode[];
  /** Status of a success, 200 unless told. */
  readonly status?: 200 | 201 | 202;
  /** The answer holds a secret that is told this once: it is kept nowhere, so an `Idempotency-Key` cannot tell it again. */
  readonly shownOnce?: true;
  readonly transfer?: "stream" | "upload" | "download";
}

export function operation<const Definition extends Operation>(definition: Definition): Definition {
  return definition;
}

/** What a caller may leave out is optional here. */
export type InputOf<Op extends Operation> = z.input<Op["input"]>;
/** What a handler receives, defaults filled in. */
export type ParsedInputOf<Op extends Operation> = z.output<Op["input"]>;
export type OutputOf<Op extends Operation> = z.output<Op["output"]>;
