import { BenchtopError, type Json } from "@benchtop/protocol";
import { stringsIn } from "./arguments.ts";
import { allow, deny, type Gate, type GateMode } from "./gate.ts";
import { glob } from "./pattern.ts";

export interface DestinationOptions {
  readonly mode: GateMode;
  readonly name?: string;
  /** `example.com`, `*.example.com` (not `example.com` itself), `10.0.0.5`, `[::1]`, each with `:port` if only that. Nothing else. */
  readonly allow: readonly string[];
  /** Globs over tools whose calls are judged; every tool when absent. */
  readonly tools?: readonly string[];
}

/**
 * Refuses calls whose arguments name a host that is not on the list: as a URL of any notation, in a property that is called
 * `host`, `url`, `endpoint` and the like, or behind a command such as `curl`, `ssh` or `git clone`.
 *
 * A judgement of words, and no wall: a program that a tool starts can have its addresses from elsewhere. What a tool can
 * reach is decided by the sandbox and the egress gate. Throws `VALIDATION_FAILED` for an entry that is no host.
 */
export function destinations(options: DestinationOptions): Gate {
  const allowed = options.allow.map(entry);
  const tools = (options.tools ?? ["*"]).map((pattern) => glob(pattern));
  return {
    name: options.name ?? "destinations",
    mode: options.mode,
    points: ["tool-call"],
    async check(subject) {
      if (subject.point !== "tool-call" || !tools.some((isTool) => isTool(subject.call.name))) return allow;
      const destinations = destinationsIn(subject.call.arguments);
      if (destinations.some((found) => found === "unreadable")) {
        return deny("The call names an address that cannot be read.", ["unreadable-address"]);
      }
      const others = destinations.filter((found) => found !== "unreadable" && !allowed.some((is) => is(found)));
      return others.length === 0 ? allow : deny("The call names a host that is not on the list.", ["host-not-allowed"]);
    },
  };
}

export interface Destination {
  /** As the URL parser of WHATWG writes it: lower case, punycode, dotted decimal; without the dot at the end. */
  readonly host: string;
  /** Empty for the scheme's own. */
  readonly port: string;
}

/** Every destination that the arguments name; `unreadable` for what is meant as one and is none. */
export function destinationsIn(input: Json): readonly (Destination | "unreadable")[] {
  return stringsIn(input).flatMap(({ name, text }) => [
    ...urlsIn(text).map(destinationOf),
    ...(hostProperty.test(name) && !/[\s/]/.test(text.trim()) && text !== ""
      ? [destinationOf(`http://${text.trim()}`)]
      : []),
    ...hostsOfCommands(text),
  ]);
}

const hostProperty =
  /^(?:.*[_-])?(?:host|hostname|domain|url|uri|endpoint|server|address|origin|proxy|webhook)s?$|(?:Host|Hostname|Domain|Url|URL|Uri|Endpoint|Server|Origin|Proxy)s?$/;

/**
 * Parts of a text that a URL parser would take for a URL with a host. Slashes may be backslashes, one, or many; controls
 * inside are dropped by parsers, so a text that is one URL is judged whole, and its beginning as well.
 */
function urlsIn(text: string): readonly string[] {
  const whole = text.replaceAll(/[\t\n\r]/g, "").trim();
  const found = [...text.matchAll(/(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{0,30}):[/\\]{1,20}[^\s"'`<>]{1,2000}/gi)].map(
    ([url]) => url,
  );
  if (/^[a-z][a-z0-9+.-]{0,30}:[/\\]/i.test(whole) && !whole.includes(" ")) found.push(whole);
  if (/^[/\\]{2}[^/\\\s]/.test(whole)) found.push(`http:${whole}`);
  for (const [, domain = ""] of text.matchAll(/\bmailto:[^\s@]{1,200}@([a-z0-9.-]{1,253})/gi))
    found.push(`http://${domain}`);
  // Schemes that take the host without slashes (`http:example.com`).
  for (const [url] of text.matchAll(/(?<![a-z0-9+.-])(?:https?|wss?|ftp):(?![/\\])[^\s"'`<>]{1,2000}/gi))
    found.push(url);
  return found;
}

/** Schemes that are local by definition and name no host. */
const localSchemes = /^(?:file|data|blob|about|javascript|urn|tel|sms):/i;

function destinationOf(text: string): Destination | "unreadable" {
  if (localSchemes.test(text)) {
    // A file URL may name a host (`file://server/share`).
    const { hostname = "" } = URL.parse(text) ?? {};
    return { host: hostname, port: "" };
  }
  // Only for the schemes of the web does the parser understand every notation of a host; the others are read as if they were.
  const url = URL.parse(text.replace(/^[a-z][a-z0-9+.-]*:[/\\]*/i, "http://"));
  if (url === null || url.hostname === "") return "unreadable";
  return { host: url.hostname.replace(/\.$/, ""), port: portOf(text, url) };
}

function portOf(text: string, url: URL): string {
  if (url.port !== "") return url.port;
  // The stand-in scheme hides its own port.
  return /^[a-z][a-z0-9+.-]*:[/\\]*[^/\\?#]*:80(?:[/\\?#]|$)/i.test(text) && !/^https?:/i.test(text) ? "80" : "";
}

const networkCommands =
  /(?:^|[\s;&|(`"'/\\])(curl|wget|nc|ncat|netcat|socat|ssh|scp|sftp|rsync|ftp|telnet|ping6?|dig|nslookup|host|traceroute|git\s+(?:clone|push|pull|fetch|remote)|Invoke-WebRequest|iwr|http|https)(?:\.exe)?\s([^;&|\n`]{1,2000})/gi;

/** Words after a command of the network that can only be hosts: with a dot, an `@`, or all digits. */
function hostsOfCommands(text: string): readonly (Destination | "unreadable")[] {
  const found: (Destination | "unreadable")[] = [];
  for (const [, , rest = ""] of text.matchAll(networkCommands)) {
    for (const word of rest.split(/[\s"'()]+/)) {
      if (word === "" || word.startsWith("-") || word.includes("://")) continue;
      const host =
        /^(?:[^@/\s]{1,100}@)?(\[[0-9a-f:.]+\]|localhost|[^/:@\s]*\.[^/:@\s]+|0x[0-9a-f]+|[0-9]{6,})(?:[:/].*)?$/i.exec(
          word,
        )?.[1];
      if (host !== undefined && !looksLikeFile(word)) found.push(destinationOf(`http://${host}`));
    }
  }
  return found;
}

/** `curl -o page.html`: a name with an ending that is no domain of the top level, or one that begins like a path. */
function looksLikeFile(word: string): boolean {
  return /^(?:\.{0,2}\/|~)|^[\w-]+\.(?:html?|json|txt|log|csv|tsv|xml|ya?ml|gz|tgz|tar|pdf|png|jpe?g|gif|svg|css|js|ts|key|pem|crt|out|bin|bak|conf|cfg|ini|toml|lock|sql|db)$/i.test(
    word,
  );
}

function entry(text: string): (destination: Destination) => boolean {
  const wildcard = text.startsWith("*.");
  const url = URL.parse(`http://${wildcard ? text.slice(2) : text}`);
  if (
    url === null ||
    !/^(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])$/.test(url.hostname) ||
    url.pathname !== "/" ||
    url.username !== "" ||
    url.search !== "" ||
    text.includes("/")
  ) {
    throw new BenchtopError("VALIDATION_FAILED", `"${text}" is no host, *.host or host:port.`, {
      phase: "settings",
      detail: { fields: ["allow"] },
    });
  }
  const named = url.hostname.replace(/\.$/, "");
  const port = /:(\d{1,5})$/.exec(text)?.[1];
  return (destination) =>
    (wildcard ? destination.host.endsWith(`.${named}`) : destination.host === named || destination.host === "") &&
    (port === undefined || destination.port === port);
}
