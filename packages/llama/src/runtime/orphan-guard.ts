/**
 * A thread that ends the process once its parent is gone. The main thread notices by itself when the connection closes, but not
 * while it is caught in a template, a grammar or other native code.
 */
import { workerData } from "node:worker_threads";

const parent = Number(workerData);

setInterval(() => {
  if (process.ppid !== parent || !exists(parent)) process.kill(process.pid, "SIGKILL");
}, 400);

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
