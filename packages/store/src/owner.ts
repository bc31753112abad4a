import { randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/**
 * Who holds a lease: this process, told apart from every other one that ever ran. `isDead` says of another owner
 * whether it is known to be gone, so that its leases are free at once; a false answer means "wait until they expire".
 *
 * An owner is known to be gone when it lived in the same boot and pid namespace of the same kernel and its pid is
 * now free or belongs to a process that started at another time. A `soleOwner` (the caller holds the lock of the
 * home folder) knows that every other owner is gone.
 */
export interface Owner {
  readonly id: string;
  isDead(other: string): boolean;
}

export function processOwner(soleOwner: boolean): Owner {
  const place = `${hostname()}|${bootId()}|${pidNamespace()}`;
  const id = `${place}|${process.pid}|${startTime(process.pid) ?? ""}|${randomBytes(6).toString("hex")}`;
  return {
    id,
    isDead(other) {
      if (other === id) return false;
      if (soleOwner) return true;
      const [host, boot, namespace, pid, started] = other.split("|");
      if (`${host}|${boot}|${namespace}` !== place) return false;
      return !isAlive(Number(pid), started ?? "");
    },
  };
}

function isAlive(pid: number, started: string): boolean {
  if (started !== "") return startTime(pid) === started;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Clock ticks between boot and the start of a process (proc_pid_stat(5), field 22); undefined where there is no such file. */
function startTime(pid: number): string | undefined {
  const stat = readOrUndefined(() => readFileSync(`/proc/${pid}/stat`, "latin1"));
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

function bootId(): string {
  return readOrUndefined(() => readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim()) ?? "";
}

function pidNamespace(): string {
  return readOrUndefined(() => readlinkSync("/proc/self/ns/pid")) ?? "";
}

/** `/proc` is Linux alone, and a process may vanish while it is looked at. */
function readOrUndefined(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
