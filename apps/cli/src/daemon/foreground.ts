import { resolve } from "node:path";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { DaemonOptions } from "@benchtop/server";
import type { FoundDaemon } from "./find.ts";

const usualPort = 4747;

/**
 * Runs the daemon in this process until SIGINT, SIGTERM or SIGHUP, then closes it: runs are aborted, journals closed.
 * A second signal ends the process at once. The usual port gives way to a free one when another program has it; a port
 * that was asked for does not.
 */
export async function runInForeground(
  home: string,
  askedPort: number | undefined,
  ready: (daemon: FoundDaemon) => Promise<void>,
): Promise<void> {
  const stopped = signalled();
  const { startDaemon } = await import("@benchtop/server");
  const fixed = askedPort ?? portFromEnvironment();
  const options = { home, ...optionsFromEnvironment() };
  const daemon = await startDaemon({ ...options, port: fixed ?? usualPort }).catch((error: unknown) => {
    if (fixed === undefined && isPortTaken(error)) return startDaemon({ ...options, port: 0 });
    throw error;
  });
  await ready({ url: daemon.url, token: daemon.token, pid: process.pid });
  await stopped;
  await daemon.close();
}

/**
 * Resolves at the first signal. Listening starts at once, so that one that comes during start-up is not lost. Signals
 * within half a second are one: a terminal and the wrapper may both deliver the same Ctrl-C.
 */
function signalled(): Promise<void> {
  return new Promise((resolve) => {
    let askedAt: number | undefined;
    const onSignal = () => {
      askedAt ??= performance.now();
      if (performance.now() - askedAt > 500) process.exit(130);
      resolve();
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  });
}

function optionsFromEnvironment(): Pick<DaemonOptions, "databaseUrl" | "outbound" | "host" | "publicUrls" | "tls"> {
  const databaseUrl = process.env["BENCHTOP_DATABASE_URL"] || undefined;
  const caFile = process.env["BENCHTOP_CA_FILE"] || undefined;
  const proxy = process.env["BENCHTOP_PROXY"] || undefined;
  return {
    ...(databaseUrl !== undefined && { databaseUrl }),
    outbound: { ...(caFile !== undefined && { caFile }), ...(proxy !== undefined && { proxy }) },
    ...listenFromEnvironment(),
  };
}

/** What the environment says goes before `config.json`. */
function listenFromEnvironment(): Pick<DaemonOptions, "host" | "publicUrls" | "tls"> {
  const host = process.env["BENCHTOP_HOST"] || undefined;
  const publicUrls =
    process.env["BENCHTOP_PUBLIC_URLS"]
      ?.split(",")
      .map((url) => url.trim())
      .filter(Boolean) ?? [];
  const certFile = process.env["BENCHTOP_TLS_CERT"] || undefined;
  const keyFile = process.env["BENCHTOP_TLS_KEY"] || undefined;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new BenchtopError("VALIDATION_FAILED", "BENCHTOP_TLS_CERT and BENCHTOP_TLS_KEY belong together: set both.", {
      phase: "settings",
    });
  }
  return {
    ...(host !== undefined && { host }),
    ...(publicUrls.length > 0 && { publicUrls }),
    ...(certFile !== undefined &&
      keyFile !== undefined && { tls: { certFile: resolve(certFile), keyFile: resolve(keyFile) } }),
  };
}

function portFromEnvironment(): number | undefined {
  const text = process.env["BENCHTOP_PORT"];
  if (text === undefined || text === "") return undefined;
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new BenchtopError("VALIDATION_FAILED", `BENCHTOP_PORT is no port: ${text}`, { phase: "settings" });
}

function isPortTaken(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ((cause as NodeJS.ErrnoException).code === "EADDRINUSE") return true;
  }
  return false;
}
