/** A daemon of an example's own, in a home that goes with it. It asks the model that the other examples ask. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, type Client } from "@benchtop/client";
import type { ScriptedAnswer } from "@benchtop/harness/conformance";
import { startDaemon } from "@benchtop/server";
import { examplePlace } from "./model.ts";

export interface ExampleBench extends AsyncDisposable {
  readonly client: Client;
  /** `provider/model`, as operations take it. */
  readonly model: string;
}

/** `script` is what the loopback server answers, one answer a request; a real model does not see it. */
export async function exampleBench(script: readonly ScriptedAnswer[]): Promise<ExampleBench> {
  const place = await examplePlace(script);
  const { kind, baseUrl, apiKey, local } = place;
  const folder = await mkdtemp(join(tmpdir(), "benchtop-example-"));
  const home = join(folder, "home");
  await mkdir(home, { mode: 0o700 });
  // The key of its secrets goes with it, too: the keychain of the machine stays as it is.
  await writeFile(join(home, "config.json"), JSON.stringify({ secrets: "file" }));
  const daemon = await startDaemon({ home, port: 0, configDir: join(folder, "config") });
  const client = createClient({ url: daemon.url, token: daemon.token });
  await client.call("providers.add", { name: "example", kind, baseUrl, local, ...(apiKey && { apiKey }) });
  return {
    client,
    model: `example/${place.modelId}`,
    async [Symbol.asyncDispose]() {
      await daemon.close();
      await place.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
