/** A process with a model that has gone wrong: sends what it was given, in base64, and then waits. `node runtime-garbage.ts BYTES` */
import { writeSync } from "node:fs";

writeSync(3, Buffer.from(process.argv[2] ?? "", "base64"));
setTimeout(() => undefined, 60_000);
