/** Takes the lock of a home at a given time (milliseconds since 1970), says whether it has it, and holds it until standard input ends. */
import { takeHomeLock, type HomeLock } from "../src/home/lock.ts";

const [home = "", at = "0"] = process.argv.slice(2);
while (Date.now() < Number(at));
let lock: HomeLock | undefined;
try {
  lock = takeHomeLock(home);
  console.log("taken");
} catch {
  console.log("refused");
}
process.stdin.on("end", () => lock?.release()).resume();
