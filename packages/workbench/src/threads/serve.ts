import { parentPort } from "node:worker_threads";
import { BenchtopError } from "@benchtop/protocol";
import type { JobFailure, JobReply, JobRequest, JobTable } from "./jobs.ts";

/** The other side of `thread.ts`: one job at a time, in order. */
export function serve(jobs: JobTable): void {
  let last = Promise.resolve();
  parentPort?.on("message", (request: JobRequest) => {
    last = answer(jobs, request, last);
  });
}

async function answer(jobs: JobTable, request: JobRequest, before: Promise<void>): Promise<void> {
  await before;
  parentPort?.postMessage({ id: request.id, began: true } satisfies JobReply, []);
  parentPort?.postMessage(await perform(jobs, request), []);
}

async function perform(jobs: JobTable, { id, name, input }: JobRequest): Promise<JobReply> {
  try {
    const job = jobs[name] as ((input: unknown) => unknown) | undefined;
    if (!job) throw new Error(`There is no job ${name}.`);
    return { id, output: await job(input) };
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
