import { operations, type Operation } from "@benchtop/operations";
import type { Handlers, RequestContext } from "./handler.ts";

/** An operation with the one function that carries it out. */
export interface Entry {
  readonly operation: Operation;
  readonly handler: (input: Record<string, unknown>, context: RequestContext) => Promise<unknown>;
}

/** What a daemon can do, once for every transport. */
export class Registry {
  readonly entries: readonly Entry[];
  readonly #byId: ReadonlyMap<string, Entry>;
  readonly #byRpc: ReadonlyMap<string, Entry>;

  /** `extensions`: operations of a program that embeds the daemon, beside its own. Throws for a name that is taken. */
  constructor(handlers: Handlers, extensions: readonly Entry[] = []) {
    const own = Object.entries(operations).map(([id, operation]) => ({
      operation: operation as Operation,
      handler: handlers[id as keyof Handlers] as unknown as Entry["handler"],
    }));
    this.entries = [...own, ...extensions];
    this.#byId = new Map(this.entries.map((entry) => [entry.operation.id, entry]));
    this.#byRpc = new Map(this.entries.map((entry) => [entry.operation.rpc, entry]));
    if (this.#byId.size < this.entries.length || this.#byRpc.size < this.entries.length) {
      throw new Error("Two operations have the same name.");
    }
  }

  /** By id: `draft.publish`. */
  byId(id: string): Entry | undefined {
    return this.#byId.get(id);
  }

  /** By the name of JSON-RPC and gRPC: `DraftPublish`. */
  byRpc(name: string): Entry | undefined {
    return this.#byRpc.get(name);
  }
}
