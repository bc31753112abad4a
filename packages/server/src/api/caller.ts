import type { Identity, InputOf, OperationId, Operations, OutputOf, Permission } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol";
import { callOperation, type Answer, type Call, type CallParts, type Transport } from "./call-operation.ts";
import type { Download, EventSource } from "./handler.ts";
import type { Entry, Registry } from "./registry.ts";
import type { Proof } from "../identity/proof.ts";

export interface CallerParts extends CallParts {
  readonly registry: Registry;
}

/** Who asks by another protocol. Whatever it reads or changes is done as them, through the one way of every operation. */
export interface Caller {
  readonly identity: Identity;
  /** The same for requests of one key, person and workspace, and for no other. */
  readonly owner: string;
  may(permission: Permission): boolean;
  call<Id extends OperationId>(
    id: Id,
    input: InputOf<Operations[Id]>,
    signal: AbortSignal,
  ): Promise<OutputOf<Operations[Id]>>;
  download<Id extends OperationId>(id: Id, input: InputOf<Operations[Id]>, signal: AbortSignal): Promise<Download>;
  follow<Id extends OperationId>(id: Id, input: InputOf<Operations[Id]>, signal: AbortSignal): Promise<EventSource>;
  answer(entry: Entry, fields: Record<string, unknown>, options: AnswerOptions): Promise<Answer>;
}

export interface AnswerOptions {
  readonly signal: AbortSignal;
  readonly idempotencyKey?: string | undefined;
  readonly progress?: Call["progress"];
}

/** `identity` is what `proof` was worth when this request came; every call proves it again. */
export function createCaller(parts: CallerParts, identity: Identity, proof: Proof, transport: Transport): Caller {
  const answer: Caller["answer"] = (entry, fields, options) =>
    callOperation(parts, { entry, transport, proof, fields: () => fields, ...options });
  const ask = async (id: string, input: unknown, signal: AbortSignal): Promise<Answer> => {
    const entry = parts.registry.byId(id);
    if (entry === undefined) throw new BenchtopError("NOT_FOUND", `There is no operation ${id}.`);
    return await answer(entry, input as Record<string, unknown>, { signal });
  };
  return {
    identity,
    owner: ownerOf(identity),
    may: (permission) => permission === "public" || identity.permissions.includes(permission),
    answer,
    async call(id, input, signal) {
      const answered = await ask(id, input, signal);
      if (answered.kind !== "value") throw new TypeError(`${id} does not answer with a value.`);
      return answered.output as OutputOf<Operations[typeof id]>;
    },
    async download(id, input, signal) {
      const answered = await ask(id, input, signal);
      if (answered.kind !== "download") throw new TypeError(`${id} does not answer with a file.`);
      return answered.download;
    },
    async follow(id, input, signal) {
      const answered = await ask(id, input, signal);
      if (answered.kind !== "events") throw new TypeError(`${id} does not answer with events.`);
      return answered.source;
    },
  };
}

export function ownerOf({ userId, keyId, workspaceId }: Identity): string {
  return JSON.stringify([userId, keyId, workspaceId]);
}
