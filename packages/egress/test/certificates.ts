import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TestAuthority {
  /** The authority's own certificate, PEM. */
  readonly ca: string;
  /** Key and certificate for exactly these names and addresses. */
  issue(...names: string[]): { key: string; cert: string };
  /** The same, out of its time since yesterday. */
  issueExpired(...names: string[]): { key: string; cert: string };
}

/** A certificate authority that lives for one test run, made by the openssl command. */
export function makeAuthority(): TestAuthority {
  const folder = mkdtempSync(join(tmpdir(), "benchtop-authority-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const openssl = (...parameters: string[]) => execFileSync("openssl", parameters, { cwd: folder, stdio: "pipe" });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-days",
    "2",
    "-subj",
    "/CN=Test Authority",
  );
  let issued = 0;
  const issue = (names: readonly string[], days: number) => {
    const name = `server${issued++}`;
    const alternatives = names.map((each) => `${/^[\d.]+$/.test(each) ? "IP" : "DNS"}:${each}`);
    writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${alternatives.join(",")}\n`);
    openssl("req", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${names[0] ?? name}`);
    openssl(
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      "-CA",
      "ca.pem",
      "-CAkey",
      "ca.key",
      "-CAcreateserial",
      "-days",
      String(days),
      "-extfile",
      `${name}.ext`,
      "-out",
      `${name}.pem`,
    );
    return {
      key: readFileSync(join(folder, `${name}.key`), "utf8"),
      cert: readFileSync(join(folder, `${name}.pem`), "utf8"),
    };
  };
  return {
    ca: readFileSync(join(folder, "ca.pem"), "utf8"),
    issue: (...names) => issue(names, 2),
    issueExpired: (...names) => issue(names, -1),
  };
}
