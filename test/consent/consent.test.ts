import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const ownNetwork = (resolver: string, command: string) => [
  "-rnm",
  "sh",
  "-c",
  `ip link set lo up && ip addr add 93.184.216.34/32 dev lo && mount --bind ${resolver} /etc/resolv.conf && ${command}`,
];
const possible = process.platform === "linux" && spawnSync("unshare", ownNetwork("/etc/hostname", "true")).status === 0;

test.skipIf(!possible)(
  "[needs a network namespace] S7 without consent to this very model and scope a run ends before a name is looked up, a connection made or a byte sent",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "benchtop-consent-"));
    try {
      const resolver = join(folder, "resolv.conf");
      await writeFile(resolver, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
      const script = join(import.meta.dirname, "in-own-network.ts");
      const { stdout } = await promisify(execFile)(
        "unshare",
        [...ownNetwork(resolver, `exec "$0" "$@"`), process.execPath, script, folder],
        { env: { PATH: process.env["PATH"], HOME: folder } },
      );
      const refused = { ended: "EGRESS_CONSENT_REQUIRED", lookups: 0, connections: 0, bytes: 0 };
      expect(JSON.parse(stdout)).toEqual({
        agent: refused,
        message: refused,
        prompt: refused,
        attachment: refused,
        // The model that was asked first failed; the other one was passed over.
        fallback: { ...refused, ended: "CONTEXT_EXHAUSTED" },
        evaluation: refused,
        consentToAnotherScope: refused,
        consentToAnotherModel: refused,
        anotherModel: refused,
        bareprompt: refused,
        memoryTurnedOn: refused,
        fileAdded: refused,
        contextItemAdded: refused,
        revoked: refused,
        providerMoved: refused,
        providerMovedBack: refused,
        anotherProvider: refused,
        agreed: { seen: true },
        rebound: { code: "EGRESS_BLOCKED_BY_POLICY", looked: true, connections: 0 },
        sentBeforeAgreed: 0,
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  60_000,
);
