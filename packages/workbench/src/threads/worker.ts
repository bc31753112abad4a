import { parentPort } from "node:worker_threads";
import { BenchtopError } from "@benchtop/protocol";
import { jobs, type JobFailure, type JobReply, type JobRequest } from "./jobs.ts";

/** The other side of `thread.ts`: one job at a time, in order. */
parentPort?.on("message", ({ id, name, input }: JobRequest) => {
  parentPort?.postMessage({ id, began: true } satisfies JobReply, []);
  parentPort?.postMessage(perform(id, name, input), []);
});

function perform(id: number, name: JobRequest["name"], input: unknown): JobReply {
  try {
    const job = jobs[name] as (input: unknown) => unknown;
    return { id, output: job(input) };
  } catch (thrown) {
    return { id, failure: failureOf(thrown) };
  }
}

function failureOf(thrown: unknown): JobFailure {
  if (!(thrown instanceof Error)) return { message: String(thrown) };
  const { code, path } = thrown as { code?: unknown; path?: unknown };
  return {
    message: thrown.message,
    ...(typeof code === "string" && { code }),
    ...(typeof path === "string" && { path }),
    ...(thrown.stack !== undefined && { stack: thrown.stack }),
    ...(BenchtopError.is(thrown) && { benchtop: { code: thrown.code, phase: thrown.info.phase } }),
  };
}
