import { writeSync } from "node:fs";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { Server } from "node:net";
import { createEgress, type EgressContext } from "../src/index.ts";

/**
 * Run in a network namespace of its own whose loopback device has addresses of a private network (192.168.7.20, fd12:3456::20) and a
 * public one (93.184.216.34): the only way to see the gate reach a host of the local network without leaving the machine. Reads
 * `{ ca, identity }` as JSON from its argument; prints what happened as JSON.
 */
interface Setting {
  readonly ca: string;
  /** Of nas.lan and 192.168.7.20. */
  readonly identity: { readonly key: string; readonly cert: string };
}

const { ca, identity } = JSON.parse(process.argv[2] ?? "") as Setting;
const received: string[] = [];
async function serve(server: Server, port: number, address: string): Promise<void> {
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
}
const answer: RequestListener = (request, response) => {
  received.push(`${request.socket.localAddress} ${request.headers.host} ${request.url}`);
  const location = new URL(request.url ?? "", "http://x").searchParams.get("to");
  if (location === null) response.end("hello");
  else response.writeHead(307, { location }).end();
};
await serve(createHttpServer(answer), 11_434, "192.168.7.20");
await serve(createHttpServer(answer), 11_434, "fd12:3456::20");
await serve(createHttpServer(answer), 11_435, "192.168.7.20");
await serve(createHttpServer(answer), 11_434, "93.184.216.34");
await serve(createHttpServer(answer), 11_434, "127.0.0.1");
await serve(createHttpsServer(identity, answer), 8443, "192.168.7.20");

const lookups: string[] = [];
let answers = ["192.168.7.20"];
const approved = new Set(["192.168.7.20:11434", "192.168.7.20:8443", "[fd12:3456::20]:11434", "nas.lan:11434"]);
approved.add("nas.lan:8443").add("other.lan:8443");
let proxied = 0;
await serve(
  createHttpServer().on("connect", (_request, socket) => {
    proxied++;
    socket.end();
  }),
  3128,
  "127.0.0.1",
);
const egress = createEgress({
  policy: () => ({
    allowedHosts: new Map([
      ["four", "192.168.7.20:11434"],
      ["four-tls", "192.168.7.20:8443"],
      ["six", "[fd12:3456::20]:11434"],
      ["named", "nas.lan:11434"],
      ["named-tls", "nas.lan:8443"],
      ["misnamed", "other.lan:8443"],
    ]),
  }),
  isApproved: (workspaceId, host) => workspaceId === "ws_1" && approved.has(host),
  consent: { isConsented: () => true },
  record: () => {},
  resolve: async (hostname) => {
    lookups.push(hostname);
    return answers.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  },
  ca,
  // Nothing of the local network passes it.
  proxy: "http://127.0.0.1:3128",
});
async function outcome(providerId: string, url: string, more: Partial<EgressContext> = {}): Promise<string> {
  const context = {
    purpose: "model-call",
    workspaceId: "ws_1",
    providerId,
    local: false,
    modelId: "m",
    scopeHash: "s",
    ...more,
  } as const;
  try {
    return await (await egress.fetch(url, { method: "POST", body: "words" }, context)).text();
  } catch (error) {
    return (error as { info: { detail: { reason?: string } } }).info.detail.reason ?? (error as { code: string }).code;
  }
}

const outcomes = {
  literal: await outcome("four", "http://192.168.7.20:11434/1"),
  literalWithTls: await outcome("four-tls", "https://192.168.7.20:8443/2"),
  literalOfSix: await outcome("six", "http://[fd12:3456::20]:11434/3"),
  sameInAnotherNotation: await outcome("four", "http://0xc0a80714:11434/4"),
  name: await outcome("named", "http://nas.lan:11434/5"),
  nameWithTls: await outcome("named-tls", "https://nas.lan:8443/6"),
  certificateOfAnotherName: await outcome("misnamed", "https://other.lan:8443/no"),
  anotherWorkspace: await outcome("four", "http://192.168.7.20:11434/no", { workspaceId: "ws_2" }),
  anotherPort: await outcome("four", "http://192.168.7.20:11435/no"),
  redirectToAnotherPort: await outcome("four", "http://192.168.7.20:11434/7?to=http://192.168.7.20:11435/no"),
  redirectToLoopback: await outcome("four", "http://192.168.7.20:11434/8?to=http://127.0.0.1:11434/no"),
  redirectToApproved: await outcome("four", "http://192.168.7.20:11434/9?to=http://nas.lan:11434/no"),
  ...(await (async () => {
    const rebound: Record<string, string> = {};
    for (const [name, addresses] of Object.entries({
      reboundToInternet: ["93.184.216.34"],
      reboundToLoopback: ["127.0.0.1"],
      reboundToLinkLocal: ["169.254.169.254"],
      mixedWithInternet: ["192.168.7.20", "93.184.216.34"],
      mixedWithLoopback: ["192.168.7.20", "127.0.0.1"],
      mapped: ["::ffff:192.168.7.20"],
    })) {
      answers = addresses;
      // Each on a connection of its own, so that each is looked up.
      approved.add(`${name.toLowerCase()}.lan:11434`);
      rebound[name] = await outcomeAt(`${name.toLowerCase()}.lan:11434`);
    }
    answers = ["192.168.7.20"];
    return rebound;
  })()),
  revoked: await (async () => {
    approved.delete("192.168.7.20:11434");
    return outcome("four", "http://192.168.7.20:11434/no");
  })(),
};
async function outcomeAt(host: string): Promise<string> {
  const gate = createEgress({
    policy: () => ({ allowedHosts: new Map([["any", host]]) }),
    isApproved: (_workspaceId, name) => approved.has(name),
    consent: { isConsented: () => true },
    record: () => {},
    resolve: async () => answers.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
  });
  const context: EgressContext = { purpose: "model-call", workspaceId: "ws_1", providerId: "any", local: false };
  try {
    return await (
      await gate.fetch(
        `http://${host}/no`,
        { method: "POST", body: "words" },
        { ...context, modelId: "m", scopeHash: "s" },
      )
    ).text();
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    await gate.close();
  }
}
writeSync(1, JSON.stringify({ outcomes, received, lookups, proxied }));
process.exit(0);
