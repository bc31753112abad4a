/** A daemon that is about to be killed: starts a model, lets it generate without end, and says so. `node runtime-orphan.ts MODEL` */
import { startLlamaModel } from "../src/runtime/start.ts";

const { signal } = new AbortController();
const model = await startLlamaModel({ modelPath: process.argv[2] ?? "" }, signal);
for await (const parts of model.chat({ messages: [{ role: "user", content: "Hello" }] }, signal)) {
  if (parts.length > 0) process.stdout.write(`${model.pid}\n`);
}
