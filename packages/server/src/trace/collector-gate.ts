import { createEgress, isLoopbackHost, type EgressOptions } from "@benchtop/egress";
import { collectorUrl } from "@benchtop/harness";
import { firstWorkspaceId } from "@benchtop/protocol";

/**
 * The way to the operator's collector: by HTTPS, on this machine's loopback, or at a host of the local network that was approved in
 * the first workspace, which keeps the record of it. A gate of its own, because nobody consents to telemetry: it reaches this
 * one host for this one purpose, and nothing else reaches it. Throws `VALIDATION_FAILED` for what is no URL.
 */
export function collectorGate(
  url: string,
  options: Omit<EgressOptions, "policy" | "consent" | "purposes" | "limits">,
): { readonly fetch: typeof globalThis.fetch; readonly close: () => Promise<void> } {
  const { host, hostname } = collectorUrl(url);
  const allowedHosts = new Map([[providerId, host]]);
  const egress = createEgress({
    ...options,
    policy: (workspaceId) => ({ allowedHosts: workspaceId === firstWorkspaceId ? allowedHosts : new Map() }),
    consent: { isConsented: () => false },
    purposes: new Set(["telemetry"]),
    limits: { responseBytes: 1024 * 1024 },
  });
  const local = isLoopbackHost(hostname);
  return {
    fetch: egress.bind({ purpose: "telemetry", workspaceId: firstWorkspaceId, providerId, local }),
    close: () => egress.close(),
  };
}

/** As the record names it; no provider of a workspace is asked through this gate. */
const providerId = "otlp";
