import { writeFile } from "node:fs/promises";

/**
 * Keeps this process's memory, where keys are while they are used, out of files that somebody may copy: core dumps hold no
 * memory (core(5); Linux alone, elsewhere it is the operator's to switch them off), and diagnostic reports are neither written
 * by themselves nor show the environment. Processes that are started from here inherit the first. False where a core dump
 * would show memory.
 */
export async function keepMemoryPrivate(): Promise<boolean> {
  const { report } = process;
  report.reportOnFatalError = false;
  report.reportOnSignal = false;
  report.reportOnUncaughtException = false;
  report.excludeEnv = true;
  try {
    await writeFile("/proc/self/coredump_filter", "0");
    return true;
  } catch {
    // Not Linux, or /proc is not there to be written.
    return false;
  }
}
