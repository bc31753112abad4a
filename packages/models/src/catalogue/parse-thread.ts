/** A thread that parses the sources it is given, answers, and ends. */
import { parentPort, workerData } from "node:worker_threads";
import { BenchtopError } from "@benchtop/protocol";
import { parseSources } from "./parse.ts";
import type { ParseReply, Sources } from "./sources.ts";

parentPort?.postMessage(await reply());

async function reply(): Promise<ParseReply> {
  try {
    return { catalogue: await parseSources(workerData as Sources) };
  } catch (thrown) {
    const { message, info } = BenchtopError.from(thrown);
    return { failure: { message, ...info } };
  }
}
