/** A daemon in a process of its own, for tests that kill it: `node daemon-process.ts HOME CONFIG_DIR [PORT]`. */
import { startDaemon } from "../src/index.ts";

const [home = "", configDir = "", port = "0"] = process.argv.slice(2);
const daemon = await startDaemon({ home, configDir, port: Number(port), checkOutputs: true });
// Whoever reads the line may send the signal at once.
process.once("SIGTERM", () => void daemon.close());
console.log(JSON.stringify({ url: daemon.url, token: daemon.token, pid: process.pid }));
