/** A process that has node-llama-cpp load models and go on from a prompt, greedily. Prints a JSON array of what each said. */
import { getLlama, LlamaCompletion } from "node-llama-cpp";

const [prompt = "", ...paths] = process.argv.slice(2);
const llama = await getLlama({ build: "never", skipDownload: true, gpu: false, maxThreads: 2 });
const said: string[] = [];
for (const modelPath of paths) {
  const model = await llama.loadModel({ modelPath });
  const context = await model.createContext({ contextSize: 128, threads: 1 });
  const completion = new LlamaCompletion({ contextSequence: context.getSequence() });
  said.push(await completion.generateCompletion(prompt, { maxTokens: 12, temperature: 0 }));
  completion.dispose();
  await context.dispose();
  await model.dispose();
}
process.stdout.write(JSON.stringify(said));
process.exit(0);
