import type { RequestListener, Server, ServerOptions } from "node:http";
import { createServer } from "node:https";
import { BenchtopError } from "@benchtop/protocol";
import type { LogFields } from "../log/log.ts";
import { covers, readCertificate, stampOf, type Certificate, type TlsOptions } from "./certificate.ts";

export interface SecureServer {
  readonly server: Server;
  /** Where clients that check the certificate can reach the server. */
  url(host: string, port: number, publicUrls: readonly string[]): string;
  /** Looks for new certificates no more. */
  stop(): void;
}

const checkEveryMs = 60_000;
const handshakeTimeoutMs = 10_000;

/**
 * An HTTPS server that offers HTTP/2 and HTTP/1.1. It looks at its files once a minute: a new certificate is used for new
 * connections, and one that is not right leaves the old in use and a warning in the log. Throws what `readCertificate` throws.
 */
export async function secure(
  options: TlsOptions,
  http1: ServerOptions,
  listener: RequestListener,
  warn: (event: string, fields?: LogFields) => void,
): Promise<SecureServer> {
  let certificate = await readCertificate(options);
  for (const { event, detail } of certificate.problems) warn(event, detail);
  const server = createServer(
    { ...http1, ...certificate.context, ALPNProtocols: ["h2", "http/1.1"], handshakeTimeout: handshakeTimeoutMs },
    listener,
  );
  // A peer that does not speak TLS, or none that we accept: its connection is closed, and that is all there is to say.
  server.on("tlsClientError", (_, socket) => socket.destroy());
  const reload = async (): Promise<void> => {
    try {
      if ((await stampOf(options)) === certificate.stamp) return;
      certificate = await readCertificate(options);
      server.setSecureContext(certificate.context);
      for (const { event, detail } of certificate.problems) warn(event, detail);
    } catch (thrown) {
      const error = BenchtopError.from(thrown);
      warn("tls.not-reloaded", { code: error.code, message: error.message });
    }
  };
  const timer = setInterval(() => void reload(), options.checkEveryMs ?? checkEveryMs);
  timer.unref();
  return {
    server,
    url: (host, port, publicUrls) => urlOf(certificate, { host, port, publicUrls }, warn),
    stop: () => clearInterval(timer),
  };
}

/** The listening address if the certificate is for it, else loopback's name, else the first public address. */
function urlOf(
  { leaf }: Certificate,
  { host, port, publicUrls }: { host: string; port: number; publicUrls: readonly string[] },
  warn: (event: string, fields?: LogFields) => void,
): string {
  const local = host.includes(":") ? [`[${host}]`, "localhost"] : [host, "127.0.0.1", "localhost"];
  const candidates = [...local.map((name) => `https://${name}:${port}`), ...publicUrls].map((url) => new URL(url));
  const url = candidates.find(({ protocol, hostname }) => protocol === "https:" && covers(leaf, hostname));
  if (url !== undefined) return url.origin;
  warn("tls.certificate-for-another-name", { names: leaf.subjectAltName ?? "" });
  return candidates[0]?.origin ?? `https://${host}:${port}`;
}
