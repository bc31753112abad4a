export { BenchtopError } from "@benchtop/protocol";
export { createClient, type Client, type ClientOptions, type DownloadedFile, type DownloadId } from "./client.ts";
export type { FollowOptions } from "./follow.ts";
export { connect, type LiveCallOptions, type LiveClient, type LiveOptions, type CallProgress } from "./live/live.ts";
export type { CallOptions } from "./request.ts";
export { readServerSentEvents, type ServerSentEvent } from "./server-sent-events.ts";
