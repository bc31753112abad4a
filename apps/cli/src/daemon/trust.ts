import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BenchtopError } from "@benchtop/protocol/errors";

/**
 * Makes requests over TLS trust what this machine trusts and `BENCHTOP_CA_FILE`, beside the authorities that come with
 * Node; and, for the daemon of this home, the certificate that it runs with. Throws `FILE_READ_FAILED` for a
 * `BENCHTOP_CA_FILE` that holds no certificates.
 */
export async function trustFor(url: string, home?: string): Promise<void> {
  if (!url.startsWith("https:")) return;
  const { getCACertificates, setDefaultCACertificates } = await import("node:tls");
  const own = home === undefined ? [] : await certificatesOf(home);
  const known = [...getCACertificates("default"), ...getCACertificates("system"), ...named()];
  setDefaultCACertificates([...new Set([...known, ...own])]);
}

function named(): string[] {
  const path = process.env["BENCHTOP_CA_FILE"];
  if (path === undefined || path === "") return [];
  const settings = { phase: "settings", detail: { path } } as const;
  let pem: string;
  try {
    pem = readFileSync(path, "utf8");
  } catch (cause) {
    throw new BenchtopError("FILE_READ_FAILED", `BENCHTOP_CA_FILE cannot be read: ${path}`, { ...settings, cause });
  }
  const certificates = certificatesIn(pem);
  if (certificates.length > 0) return certificates;
  throw new BenchtopError("VALIDATION_FAILED", `BENCHTOP_CA_FILE holds no certificates in PEM: ${path}`, settings);
}

/** The certificate that the daemon of a home runs with, and those on the way to its authority. */
async function certificatesOf(home: string): Promise<string[]> {
  try {
    const { certFile } = JSON.parse(await readFile(join(home, "daemon.json"), "utf8")) as { certFile?: unknown };
    return typeof certFile === "string" ? certificatesIn(await readFile(certFile, "utf8")) : [];
  } catch {
    // Without a daemon, or a file to read, a request says itself what is not trusted.
    return [];
  }
}

function certificatesIn(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}
