import { parentPort, workerData } from "node:worker_threads";
import { readHere, type Reading, type ReadingMessage } from "./read-file.ts";

/** The thread that reads one large file. It says how far it is ten times a second. */
const port = parentPort;
if (!port) throw new Error("This file is started as a thread.");
const say = (message: ReadingMessage) => port.postMessage(message);
let last = 0;
try {
  const read = await readHere(workerData as Reading, (bytesDone) => {
    const now = performance.now();
    if (now - last < 100) return;
    last = now;
    say({ bytesDone });
  });
  say({ read });
} catch (error) {
  // An error that is sent loses its code, which tells a full disk.
  const { message, code } = error as NodeJS.ErrnoException;
  say({ failed: { message, code } });
}
