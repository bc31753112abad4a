import { isAbsolute, resolve } from "node:path";
import { BenchtopError } from "@benchtop/protocol/errors";
import { chosenDaemon, isLoopback } from "../daemon/find.ts";

/** Where a model comes from, as the daemon is told it: `hf:…`, `https://…` and their like as they are, else a file. */
export function modelSource(source: string): string {
  return /^[a-z][a-z0-9+.-]+:/i.test(source) ? source : pathOnDaemon(source);
}

/**
 * A path as the daemon is told it: it reads and writes these files itself. Throws `VALIDATION_FAILED` for a relative one
 * where the daemon is on another machine, which does not know in which folder this command runs.
 */
export function pathOnDaemon(path: string): string {
  const elsewhere = daemonElsewhere();
  if (elsewhere === undefined || isAbsolute(path)) return resolve(path);
  throw new BenchtopError(
    "VALIDATION_FAILED",
    `The daemon at ${elsewhere} uses files of its own machine: give the whole path that this one has there.`,
    { phase: "settings", detail: { path } },
  );
}

/** Where installed models run, in words. */
export function machineOfDaemon(): string {
  return daemonElsewhere() ?? "this machine";
}

/** Undefined for a daemon on this machine. */
function daemonElsewhere(): string | undefined {
  const daemon = chosenDaemon();
  return daemon === undefined || isLoopback(daemon.url) ? undefined : new URL(daemon.url).host;
}
