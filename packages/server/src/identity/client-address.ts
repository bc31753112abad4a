import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";

/**
 * Where a request comes from: the other end of the connection, unless that is a proxy that the operator has named. Then
 * it is the last in `X-Forwarded-For` that no such proxy is: what stands before that, the client may have written itself.
 */
export function clientAddress(
  { headers, socket }: Pick<IncomingMessage, "headers" | "socket">,
  proxies: ReadonlySet<string>,
): string {
  let address = socket.remoteAddress ?? "";
  if (!proxies.has(plain(address))) return address;
  const forwarded = [headers["x-forwarded-for"] ?? []].flat().join(",").slice(-2000).split(",");
  for (const hop of forwarded.toReversed().map((text) => text.trim())) {
    if (isIP(hop) === 0) break;
    address = hop;
    if (!proxies.has(plain(hop))) break;
  }
  return address;
}

/** IPv4 addresses of connections may be written as IPv6. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}
