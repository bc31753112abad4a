import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { once } from "node:events";

/** What a process and all its threads and children asked the kernel to reach, as strace saw it. */
export interface Trace {
  /** Addresses, `127.0.0.1:443` and `[::1]:443`, that a stream was to be opened to. */
  readonly connections: ReadonlySet<string>;
  /** Addresses that datagrams were, or could be, sent to. */
  readonly datagrams: ReadonlySet<string>;
  /** Names that a name server was asked for. */
  readonly lookups: ReadonlySet<string>;
  /** Addresses that were listened at. */
  readonly listening: ReadonlySet<string>;
  /** Ways past what is traced here. */
  readonly hidden: readonly string[];
}

const calls = "socket,connect,bind,sendto,sendmsg,sendmmsg,write,writev,io_uring_setup,ptrace";

/** Whether processes can be traced here: on Linux, with strace, where tracing is not forbidden. */
export function canTrace(): boolean {
  return process.platform === "linux" && spawnSync("strace", ["-f", "-o", "/dev/null", "true"]).status === 0;
}

/** Starts Node with this script under strace, which follows every thread and child. `file` is read by `readTrace` once it has ended. */
export function startTraced(
  script: string,
  words: readonly string[],
  file: string,
  options: { readonly env: NodeJS.ProcessEnv; readonly cwd: string },
): ChildProcess {
  // What is sent is needed for datagrams alone; `write` to a socket of those is how a lookup can be sent, too.
  const seen = ["-f", "-qq", "--seccomp-bpf", "-yy", "-s", "400", "-e", `trace=${calls}`];
  // A ring would carry calls past strace. Node does without one where the kernel has none.
  const tracing = [...seen, "-e", "inject=io_uring_setup:error=ENOSYS", "-o", file];
  return spawn("strace", [...tracing, "--", process.execPath, script, ...words], {
    ...options,
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** Ends the traced Node, and waits for strace to have written everything. */
export async function endTraced(traced: ChildProcess, pid: number): Promise<void> {
  const closed = once(traced, "close");
  process.kill(pid, "SIGTERM");
  await closed;
}

export function readTrace(file: string): Trace {
  const connections = new Set<string>();
  const datagrams = new Set<string>();
  const lookups = new Set<string>();
  const listening = new Set<string>();
  const hidden: string[] = [];
  for (const line of wholeLines(readFileSync(file, "latin1"))) {
    const [, call = "", rest = ""] = /^\d+\s+(\w+)\((.*)$/.exec(line) ?? [];
    const isDatagram = /^\d+<(?:UDP|UDPv6|RAW|PING)/.test(rest);
    const address = addressIn(rest);
    if (call === "ptrace" || (call === "io_uring_setup" && !rest.includes("ENOSYS"))) hidden.push(line);
    if (call === "socket" && /^AF_(?:PACKET|VSOCK)|SOCK_RAW/.test(rest) && !rest.startsWith("AF_NETLINK"))
      hidden.push(line);
    if (call === "bind" && address !== undefined && !isDatagram) listening.add(address);
    if (call === "connect" && address !== undefined) (isDatagram ? datagrams : connections).add(address);
    if (/^(?:send|write)/.test(call)) {
      if (address !== undefined) (isDatagram ? datagrams : connections).add(address);
      if (isDatagram) for (const name of namesIn(rest)) lookups.add(name);
    }
  }
  return { connections, datagrams, lookups, listening, hidden };
}

/** Calls as one line each: what strace began to write, and went on with after calls of other threads, is put together. */
function wholeLines(text: string): string[] {
  const begun = new Map<string, string>();
  const lines = text.split("\n").flatMap((line) => {
    const [, thread = "", start] = /^(\d+)\s+(.*?)\s*<unfinished \.\.\.>$/.exec(line) ?? [];
    if (start !== undefined) {
      begun.set(thread, start);
      return [];
    }
    const [, again = "", rest] = /^(\d+)\s+<\.\.\. \w+ resumed>(.*)$/.exec(line) ?? [];
    if (rest === undefined) return [line];
    const whole = `${again} ${begun.get(again) ?? ""}${rest}`;
    begun.delete(again);
    return [whole];
  });
  // A thread that was ended in a call has none that was gone on with.
  return [...lines, ...[...begun].map(([thread, start]) => `${thread} ${start}`)];
}

/** The address of another machine or of this one that a call names; none of the kernel's and the file system's. */
function addressIn(text: string): string | undefined {
  const [, port4, address4] = /sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]+)"\)/.exec(text) ?? [];
  if (address4 !== undefined) return `${address4}:${port4}`;
  const [, port6, address6] = /sin6_port=htons\((\d+)\).*?inet_pton\(AF_INET6, "([^"]+)"/.exec(text) ?? [];
  return address6 === undefined ? undefined : `[${address6}]:${port6}`;
}

/** Names in the questions of a DNS message (RFC 1035, 4.1): twelve bytes of header, then labels with their lengths. */
function namesIn(text: string): string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"/g)].flatMap(([, quoted = ""]) => {
    const bytes = unescaped(quoted);
    const labels: string[] = [];
    let at = 12;
    while (at < bytes.length && bytes[at] !== 0) {
      const length = bytes[at] ?? 0;
      if (length > 63 || at + 1 + length > bytes.length) return [];
      labels.push(Buffer.from(bytes.slice(at + 1, at + 1 + length)).toString("latin1"));
      at += 1 + length;
    }
    return labels.length > 0 && at < bytes.length ? [labels.join(".").toLowerCase()] : [];
  });
}

const escapes: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, f: 12, v: 11, a: 7, b: 8 };

/** A string as C writes it, which is how strace does. */
function unescaped(text: string): number[] {
  return [...text.matchAll(/\\([0-7]{1,3})|\\(.)|([^\\])/g)].map(([, octal, escaped, plain]) => {
    if (octal !== undefined) return Number.parseInt(octal, 8);
    if (escaped !== undefined) return escapes[escaped] ?? escaped.charCodeAt(0);
    return (plain ?? "").charCodeAt(0);
  });
}

/** What a daemon may reach, and nothing else. */
export interface Allowed {
  /** Hosts of the egress log that requests were let through to, `localhost` among them; a port that is the scheme's own is not written. */
  readonly hosts: readonly string[];
  /** `host:port` of the daemon itself, and of what the operator configured. */
  readonly own: readonly string[];
}

/** Everything that was reached or looked up and may not be, in words; empty when all is well. */
export function violations(trace: Trace, { hosts, own }: Allowed): string[] {
  const places = new Set([...hosts, ...own].flatMap(placesOf));
  const names = new Set(hosts.map((host) => host.replace(/:\d+$/, "")));
  const nameServers = new Set(
    nameServersHere().map((address) => `${address.includes(":") ? `[${address}]` : address}:53`),
  );
  const isKnown = (name: string) => [...names].some((host) => name === host || name.startsWith(`${host}.`));
  return [
    ...[...trace.connections].filter((address) => !places.has(address)).map((address) => `connected to ${address}`),
    ...[...trace.datagrams].filter((address) => !nameServers.has(address)).map((address) => `datagrams to ${address}`),
    ...[...trace.lookups].filter((name) => !isKnown(name)).map((name) => `looked ${name} up`),
    ...[...trace.listening]
      .filter((address) => !/^(127\.|\[::1\])/.test(address))
      .map((address) => `listens at ${address}`),
    ...trace.hidden.map((line) => `cannot be followed: ${line}`),
  ];
}

function placesOf(host: string): string[] {
  const [, name = "", port = "443"] = /^(.*?)(?::(\d+))?$/.exec(host) ?? [];
  return name === "localhost" ? [`127.0.0.1:${port}`, `[::1]:${port}`] : [`${name}:${port}`];
}

/** As the system's resolver reads them (resolv.conf(5)). */
function nameServersHere(): string[] {
  let text = "";
  try {
    text = readFileSync("/etc/resolv.conf", "utf8");
  } catch {
    // Without the file, the resolver asks this machine.
  }
  const named = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, address = ""]) => address);
  return named.length > 0 ? named : ["127.0.0.1"];
}
