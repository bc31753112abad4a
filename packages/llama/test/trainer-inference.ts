import { fork } from "node:child_process";
import type { InferenceReply, InferenceRequest } from "./trainer-inference-process.ts";

/** Asks a model through llama.cpp, in a process of its own. */
export async function infer(request: InferenceRequest): Promise<InferenceReply> {
  return await new Promise((resolve, reject) => {
    const child = fork(new URL("trainer-inference-process.ts", import.meta.url), {
      execArgv: [],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    let output = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.once("message", (reply) => resolve(reply as InferenceReply));
    child.once("error", reject);
    child.once("close", (code) => reject(new Error(`inference ended with ${code}: ${output.slice(-2000)}`)));
    child.send(request);
  });
}
