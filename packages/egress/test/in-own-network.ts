import { writeSync } from "node:fs";
import { createServer } from "node:https";
import { setImmediate } from "node:timers/promises";
import { createEgress } from "../src/index.ts";

/**
 * Run in a network namespace of its own whose loopback device has a public address: the only way to see the gate reach a
 * provider "elsewhere" directly, through lookup, address check, pinned connection and certificate, without leaving the machine.
 * Reads `{ ca, identities, address }` as JSON from its argument; prints what happened as JSON.
 */
interface Setting {
  readonly ca: string;
  readonly address: string;
  /** Served at `address` on 443 and 8443, the second with the certificate of another name. */
  readonly identities: readonly { readonly key: string; readonly cert: string }[];
}

const { ca, address, identities } = JSON.parse(process.argv[2] ?? "") as Setting;
const received: string[] = [];
for (const [index, port] of [443, 8443].entries()) {
  const server = createServer({ ...identities[index] }, (request, response) => {
    received.push(`${request.socket.localAddress}:${port} ${request.headers.host} ${request.url}`);
    response.end("hello");
  });
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
}

const lookups: string[] = [];
let answers = [address];
function gate(trusted: boolean) {
  return createEgress({
    policy: () => ({
      allowedHosts: new Map([
        ["remote", "api.example.com"],
        ["misnamed", "api.example.com:8443"],
      ]),
    }),
    consent: { isConsented: () => true },
    record: () => {},
    resolve: async (hostname) => {
      lookups.push(hostname);
      return answers.map((one) => ({ address: one, family: 4 }));
    },
    ...(trusted && { ca }),
  });
}

const egress = gate(true);
async function outcome(from: ReturnType<typeof gate>, providerId: string, url: string): Promise<string> {
  const context = {
    purpose: "model-call",
    workspaceId: "ws_1",
    providerId,
    local: false,
    modelId: "m",
    scopeHash: "s",
  } as const;
  try {
    return await (await from.fetch(url, { method: "POST", body: "words" }, context)).text();
  } catch (error) {
    return (
      (error as { code: string; info: { detail: { reason?: string } } }).info.detail.reason ??
      (error as { code: string }).code
    );
  }
}

const outcomes = {
  direct: await outcome(egress, "remote", "https://api.example.com/v1"),
  /** The name now leads to loopback: the connection that was checked is used on, and no new one can be made. */
  kept: await (async () => {
    answers = ["127.0.0.1"];
    await setImmediate(); // The connection goes back to the pool in the turn after the answer's end.
    return outcome(egress, "remote", "https://api.example.com/v2");
  })(),
  rebound: await outcome(egress, "misnamed", "https://api.example.com:8443/v3"),
  misnamed: await (async () => {
    answers = [address];
    return outcome(egress, "misnamed", "https://api.example.com:8443/v4");
  })(),
  untrusted: await outcome(gate(false), "remote", "https://api.example.com/v5"),
};
writeSync(1, JSON.stringify({ outcomes, received, lookups }));
process.exit(0);
