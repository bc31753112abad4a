import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { BenchtopError } from "@benchtop/protocol";

export interface TlsOptions {
  /** PEM: the certificate, followed by those between it and its authority. */
  readonly certFile: string;
  /** PEM, without a passphrase. */
  readonly keyFile: string;
  /** `TLSv1.2` unless told. */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  /** How often the files are looked at; once a minute unless told. */
  readonly checkEveryMs?: number;
}

export interface Certificate {
  readonly context: SecureContextOptions;
  readonly leaf: X509Certificate;
  /** Things to warn about: a certificate out of its time, a key that others can read. */
  readonly problems: readonly { readonly event: string; readonly detail: Readonly<Record<string, string>> }[];
  /** Changes when a file does. */
  readonly stamp: string;
}

/**
 * Reads the certificate and its key. Throws `FILE_READ_FAILED` for a file that cannot be read and `VALIDATION_FAILED` for
 * one that holds something else, or a key of another certificate; each names the file.
 */
export async function readCertificate(options: TlsOptions): Promise<Certificate> {
  const { certFile, keyFile, minVersion = "TLSv1.2" } = options;
  const stamp = await stampOf(options);
  const cert = await read(certFile, "certificate");
  const key = await read(keyFile, "key");
  const leaf = parsed(certFile, "certificate", () => new X509Certificate(cert));
  const privateKey = parsed(keyFile, "private key without a passphrase", () => createPrivateKey(key));
  if (!leaf.checkPrivateKey(privateKey)) {
    throw invalid(keyFile, `The TLS key ${keyFile} does not belong to the certificate ${certFile}.`);
  }
  const context: SecureContextOptions = { cert, key, minVersion, ciphers, honorCipherOrder: true };
  // The rest of the chain, and keys that are too short for OpenSSL.
  parsed(certFile, "chain of certificates that OpenSSL accepts", () => createSecureContext(context));
  return { context, leaf, problems: [...timeProblems(leaf, certFile), ...(await keyProblems(keyFile))], stamp };
}

/** What tells that a file was written anew: modification times and inodes. Throws `FILE_READ_FAILED`. */
export async function stampOf({ certFile, keyFile }: TlsOptions): Promise<string> {
  const parts: string[] = [];
  for (const [path, what] of [[certFile, "certificate"] as const, [keyFile, "key"] as const]) {
    try {
      const { mtimeMs, ino, size } = await stat(path);
      parts.push(`${mtimeMs}-${ino}-${size}`);
    } catch (cause) {
      throw unreadable(path, what, cause);
    }
  }
  return parts.join(" ");
}

/** True when a client that asks for this host will accept the certificate. */
export function covers(leaf: X509Certificate, host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "");
  return (/^[\d.]+$|:/.test(bare) ? leaf.checkIP(bare) : leaf.checkHost(bare)) !== undefined;
}

/** Forward secrecy and authenticated encryption; the names of TLS 1.3 are OpenSSL's own. */
const ciphers = [
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "TLS_AES_128_GCM_SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
].join(":");

async function read(path: string, what: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw unreadable(path, what, cause);
  }
}

function unreadable(path: string, what: string, cause: unknown): BenchtopError {
  const { code } = cause as NodeJS.ErrnoException;
  const why = code === "ENOENT" ? "does not exist" : `cannot be read${code === undefined ? "" : ` (${code})`}`;
  return new BenchtopError("FILE_READ_FAILED", `The TLS ${what} ${path} ${why}.`, {
    phase: "settings",
    detail: { path },
    cause,
  });
}

function parsed<T>(path: string, what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new BenchtopError("VALIDATION_FAILED", `${path} holds no ${what} in PEM.`, {
      phase: "settings",
      detail: { path },
      cause,
    });
  }
}

function invalid(path: string, message: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, { phase: "settings", detail: { path } });
}

function timeProblems(leaf: X509Certificate, path: string): Certificate["problems"] {
  const now = new Date();
  const detail = { path, from: leaf.validFromDate.toISOString(), to: leaf.validToDate.toISOString() };
  if (leaf.validToDate < now) return [{ event: "tls.certificate-expired", detail }];
  if (leaf.validFromDate > now) return [{ event: "tls.certificate-not-valid-yet", detail }];
  return [];
}

async function keyProblems(path: string): Promise<Certificate["problems"]> {
  const { mode } = await stat(path);
  if (process.platform === "win32" || (mode & 0o007) === 0) return [];
  return [{ event: "tls.key-open-to-others", detail: { path } }];
}
