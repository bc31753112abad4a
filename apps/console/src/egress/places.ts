/** Where the bytes of a request go, as far as the host's name says. */
export type Place = "this-machine" | "local-network" | "internet";

/** Top-level names that are never given out on the internet, and the suffixes that routers use at home. */
const localNames = /(^[^.:[\]]+$)|\.(local|lan|internal|intranet|home|home\.arpa|localdomain|test)$/;
const privateAddresses =
  /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|\[f[cd]|\[fe[89ab])/;

/**
 * `approved`: hosts (`host:port`) of the local network that the operator approved; a request to one of them stays in that
 * network. What is not known to be near counts as the internet.
 */
export function placeOf(host: string, approved: readonly string[] = []): Place {
  const lower = host.toLowerCase();
  const name = lower.replace(/:\d+$/, "");
  if (isLoopback(lower)) return "this-machine";
  if (approved.some((each) => each.toLowerCase() === lower || each.toLowerCase().replace(/:\d+$/, "") === lower)) {
    return "local-network";
  }
  return localNames.test(name) || privateAddresses.test(name) ? "local-network" : "internet";
}

/** A model on this machine is asked over its loopback: nothing left. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(host);
}

export const placeNames: Record<Place, string> = {
  "this-machine": "this machine",
  "local-network": "local network",
  internet: "internet",
};
