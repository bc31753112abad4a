import { openStore } from "@benchtop/store";
import { downloadGate } from "../src/downloads/download-gate.ts";
import { ModelDownloads } from "../src/downloads/downloads.ts";
import { ModelRegistry } from "../src/registry/registry.ts";
import { smallLimits } from "./temporary-downloads.ts";

/** A process that downloads one file and may be killed whenever. Says `ready` once it is at it, and how the download ended. */
const [home = "", url = ""] = process.argv.slice(2);
const signal = AbortSignal.timeout(20_000);
const store = await openStore({ home, soleOwner: true });
const registry = await ModelRegistry.open({ store, home });
const gate = downloadGate({ loopbackUrls: true, record: () => undefined });
const downloads = await ModelDownloads.open({ store, registry, gate, limits: smallLimits });
const [known] = downloads.list();
const { id } = known ?? (await downloads.start({ type: "url", url }, { name: "tiny" }, signal));
process.stdout.write("ready\n");
const { state, error } = await downloads.ended(id, signal);
process.stdout.write(`${state} ${error?.message ?? ""}\n`);
await downloads.close();
await gate.close();
await registry.close();
await store.close();
