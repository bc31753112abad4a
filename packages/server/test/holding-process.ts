/**
 * A process with a secret in its memory, for a test that aborts it and reads the core: `node holding-process.ts FOLDER MODE`,
 * a daemon that has been given the secret as a key, or a plain process.
 */
import { join } from "node:path";
import { startDaemon } from "../src/index.ts";

const [folder = "", mode = ""] = process.argv.slice(2);
// It comes encoded, so that neither the environment nor the arguments are what is found.
const planted = Buffer.from(process.env["TEST_PLANTED"] ?? "", "base64").toString("utf8");
const held = { planted, bytes: Buffer.from(planted) };

if (mode === "daemon") {
  const daemon = await startDaemon({ home: join(folder, "home"), configDir: join(folder, "config"), port: 0 });
  const response = await globalThis.fetch(`${daemon.url}/api/v1/providers`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${daemon.token}` },
    body: JSON.stringify({
      name: "p",
      kind: "openai-chat",
      baseUrl: "http://127.0.0.1:9/v1",
      local: true,
      apiKey: planted,
    }),
  });
  if (!response.ok) throw new Error(`The provider was refused: ${response.status}`);
}
console.log("holding");
setInterval(() => held.bytes.fill(held.planted), 1000);
