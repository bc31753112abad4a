import {
  operations,
  type InputOf,
  type Operation,
  type OperationId,
  type Operations,
  type OutputOf,
} from "@benchtop/operations";
import type { RunEvent } from "@benchtop/protocol";
import { connectBySse, followRun, type FollowOptions } from "./follow.ts";
import { Requests, type CallOptions, type RequestOptions } from "./request.ts";

export type ClientOptions = RequestOptions;

/** Operations that answer with JSON; the others have methods of their own. */
export type CallableId = {
  [Id in OperationId]: Operations[Id] extends { readonly transfer: string } ? never : Id;
}[OperationId];

/**
 * The API of one daemon. Failures are `BenchtopError`s with the `ErrorInfo` that the daemon sent;
 * a daemon that cannot be reached is `NETWORK_UNAVAILABLE`.
 */
export interface Client {
  readonly url: string;
  /**
   * Calls an operation. Changes carry an `Idempotency-Key`, so that an attempt that was cut off is made again (a few
   * times, within seconds) without being executed twice.
   */
  call<Id extends CallableId>(
    id: Id,
    input: InputOf<Operations[Id]>,
    options?: CallOptions,
  ): Promise<OutputOf<Operations[Id]>>;
  /**
   * The events of a run from a cursor on, then live, until the run ends: each once, in order, across lost connections.
   * Throws when the daemon stays away for longer than `giveUpAfterMs`. Ends without throwing when the signal aborts.
   */
  follow(runId: string, options?: FollowOptions): AsyncIterable<RunEvent>;
  /** Stores bytes in the daemon; `files.add` then gives them a path. A stream is sent once and not attempted again. */
  upload(body: UploadBody, options?: CallOptions): Promise<OutputOf<Operations["files.upload"]>>;
  /** One file's bytes. Consume or cancel the body. */
  download(input: InputOf<Operations["files.read"]>, options?: CallOptions): Promise<DownloadedFile>;
  /** What any operation answers that answers with bytes. Consume or cancel the body. */
  downloadFrom<Id extends DownloadId>(
    id: Id,
    input: InputOf<Operations[Id]>,
    options?: CallOptions,
  ): Promise<DownloadedFile>;
  /** The report of an evaluation. Consume or cancel the body. */
  downloadReport(input: InputOf<Operations["evals.report"]>, options?: CallOptions): Promise<DownloadedFile>;
}

/** Operations that answer with raw bytes. */
export type DownloadId = {
  [Id in OperationId]: Operations[Id] extends { readonly transfer: "download" } ? Id : never;
}[OperationId];

export type UploadBody = Uint8Array | Blob | ReadableStream<Uint8Array>;

export interface DownloadedFile {
  readonly mediaType: string;
  readonly bytes: number;
  readonly body: ReadableStream<Uint8Array>;
  arrayBuffer(): Promise<ArrayBuffer>;
}

export function createClient(options: ClientOptions): Client {
  const requests = new Requests(options);
  return {
    url: requests.url,
    async call<Id extends CallableId>(id: Id, input: InputOf<Operations[Id]>, callOptions: CallOptions = {}) {
      const response = await requests.send(operations[id], input, callOptions);
      return (await requests.readJson(response)) as OutputOf<Operations[Id]>;
    },
    follow: (runId, followOptions = {}) =>
      followRun((after, signal) => connectBySse(requests, runId, after, signal), followOptions),
    async upload(body, callOptions = {}) {
      const response = await requests.send(operations["files.upload"], {}, { ...callOptions, body });
      return (await requests.readJson(response)) as OutputOf<Operations["files.upload"]>;
    },
    download: (input, callOptions = {}) => download(requests, operations["files.read"], input, callOptions),
    downloadFrom: (id, input, callOptions = {}) => download(requests, operations[id], input, callOptions),
    downloadReport: (input, callOptions = {}) => download(requests, operations["evals.report"], input, callOptions),
  };
}

async function download(
  requests: Requests,
  operation: Operation,
  input: Readonly<Record<string, unknown>>,
  options: CallOptions,
): Promise<DownloadedFile> {
  const response = await requests.send(operation, input, options);
  return {
    mediaType: response.headers.get("content-type") ?? "application/octet-stream",
    bytes: Number(response.headers.get("content-length") ?? 0),
    body: response.body ?? new Blob([]).stream(),
    arrayBuffer: () => response.arrayBuffer(),
  };
}
