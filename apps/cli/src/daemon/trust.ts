import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";

/**
 * Makes requests over TLS trust what this machine trusts, beside the authorities that come with Node; and, for the daemon
 * of this home, the certificates that its operator gave it.
 */
export async function trustFor(url: string, home?: string): Promise<void> {
  if (!url.startsWith("https:")) return;
  const { getCACertificates, setDefaultCACertificates } = await import("node:tls");
  const own = home === undefined ? [] : await certificatesOf(home);
  const known = [...getCACertificates("default"), ...getCACertificates("system")];
  setDefaultCACertificates([...new Set([...known, ...own])]);
}

/** What `tls.certFile` of the home's configuration holds: its own certificate, and those on the way to its authority. */
async function certificatesOf(home: string): Promise<string[]> {
  try {
    const config = JSON.parse(await readFile(join(home, "config.json"), "utf8")) as { tls?: { certFile?: unknown } };
    const path = config.tls?.certFile;
    if (typeof path !== "string") return [];
    const pem = await readFile(resolve(home, path), "utf8");
    return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  } catch {
    // A daemon with a wrong configuration does not run; without it a request says itself what is not trusted.
    return [];
  }
}
