import { BlockList, isIP } from "node:net";

/**
 * Which addresses a name may lead to. A name is only ever a claim of whoever answers the lookup, so each address is
 * judged by itself: a provider elsewhere must be on the public internet, one that the operator approved in a private
 * network, a local one on this machine's loopback.
 */

/** True for addresses of the public internet; false for every range that means "here", "nearby" or "nobody". */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !notPublic.check(address, "ipv4");
  // Only 2000::/3 is assigned for global unicast (RFC 4291, IANA). What lies outside it is mapped (::ffff:0:0/96), NAT64
  // (64:ff9b::/96, 64:ff9b:1::/48), unique local, link-local, multicast, loopback or unspecified: never a way out.
  if (family === 6) return globalUnicast.check(address, "ipv6") && !notPublic.check(address, "ipv6");
  return false;
}

/** True for 127.0.0.0/8 and ::1. An IPv4-mapped loopback address is not accepted: nothing legitimate is written so. */
export function isLoopbackAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return loopback.check(address, "ipv4");
  if (family === 6) return address.includes("::ffff:") ? false : loopback.check(address, "ipv6");
  return false;
}

/**
 * True for addresses that are given out in private networks: RFC 1918 and unique local ones (RFC 4193), without those at which
 * clouds hand their machines keys. Loopback and link-local addresses are none, nor is an IPv4 address written as an IPv6 one.
 */
export function isPrivateNetworkAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return privateNetworks.check(address, "ipv4");
  if (family !== 6 || address.includes("%") || address.includes(".")) return false;
  return uniqueLocal.check(address, "ipv6") && !cloudServices.check(address, "ipv6");
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

const globalUnicast = new BlockList();
globalUnicast.addSubnet("2000::", 3, "ipv6");

/** IANA's special-purpose registries (RFC 6890 and updates) and one public address that clouds answer from within. */
const notPublic = new BlockList();
for (const [network, prefix] of [
  ["0.0.0.0", 8], // this network
  ["10.0.0.0", 8], // private
  ["100.64.0.0", 10], // carrier-grade NAT; also a cloud's metadata service (100.100.100.200)
  ["127.0.0.0", 8], // loopback
  ["169.254.0.0", 16], // link-local; metadata services (169.254.169.254)
  ["172.16.0.0", 12], // private
  ["192.0.0.0", 24], // protocol assignments; a metadata service (192.0.0.192)
  ["192.0.2.0", 24], // documentation
  ["192.88.99.0", 24], // 6to4 relay
  ["192.168.0.0", 16], // private
  ["198.18.0.0", 15], // benchmarking
  ["198.51.100.0", 24], // documentation
  ["203.0.113.0", 24], // documentation
  ["224.0.0.0", 4], // multicast
  ["240.0.0.0", 4], // reserved, broadcast
  ["168.63.129.16", 32], // Azure's host agent
] as const) {
  notPublic.addSubnet(network, prefix, "ipv4");
}
for (const [network, prefix] of [
  ["2001::", 23], // protocol assignments, Teredo and ORCHID among them
  ["2001:db8::", 32], // documentation
  ["2002::", 16], // 6to4: holds an IPv4 address
  ["3fff::", 20], // documentation
] as const) {
  notPublic.addSubnet(network, prefix, "ipv6");
}

const privateNetworks = new BlockList();
privateNetworks.addSubnet("10.0.0.0", 8, "ipv4");
privateNetworks.addSubnet("172.16.0.0", 12, "ipv4");
privateNetworks.addSubnet("192.168.0.0", 16, "ipv4");

const uniqueLocal = new BlockList();
uniqueLocal.addSubnet("fc00::", 7, "ipv6");

/** Metadata and other services of clouds, which chose their addresses from the unique local ones. */
const cloudServices = new BlockList();
cloudServices.addSubnet("fd00:ec2::", 32, "ipv6"); // Amazon: metadata (fd00:ec2::254), name server, clock
cloudServices.addSubnet("fd20:ce::", 32, "ipv6"); // Google: metadata (fd20:ce::254)
cloudServices.addAddress("fd00:c1::a9fe:a9fe", "ipv6"); // Oracle: metadata
cloudServices.addAddress("fd00:42::42", "ipv6"); // Scaleway: metadata
