import { join } from "node:path";
import { writeGguf } from "../../llama/src/gguf/write.ts";
import { tinyModel } from "../../llama/test/tiny-model.ts";
import { tinyScriptedModel, type ScriptedModelOptions } from "../../llama/test/tiny-scripted-model.ts";
import { json, type TestDaemon } from "./test-daemon.ts";

/** Installs a model that says what a test wants, by the real llama.cpp, from a file in `folder`. */
export async function installScripted(
  daemon: TestDaemon,
  folder: string,
  name: string,
  options: ScriptedModelOptions,
): Promise<void> {
  const path = join(folder, `${name}.gguf`);
  await writeGguf(path, tinyScriptedModel({ name, ...options }));
  await install(daemon, path, name);
}

/** Installs a model that turns text into vectors. */
export async function installEmbedding(daemon: TestDaemon, folder: string, name: string): Promise<void> {
  const path = join(folder, `${name}.gguf`);
  await writeGguf(path, tinyModel({ name, embeds: true }));
  await install(daemon, path, name);
}

async function install(daemon: TestDaemon, path: string, name: string): Promise<void> {
  const answer = await daemon.fetch("/api/v1/local-models", json({ source: path, name }));
  if (answer.status !== 202) throw new Error(`${name} was not installed: ${await answer.text()}`);
  for (;;) {
    const list = await daemon.fetch("/api/v1/model-downloads");
    const { items } = (await list.json()) as { items: { name: string; state: string; error: unknown }[] };
    const download = items.find((each) => each.name === name);
    if (download?.state === "done") return;
    if (download?.state === "failed") throw new Error(JSON.stringify(download.error));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
