export { isLoopbackAddress, isPrivateNetworkAddress, isPublicAddress } from "./addresses.ts";
export type { Resolve, ResolvedAddress, Timeouts } from "./connections.ts";
export { checkProviderUrl, isLoopbackHost, withApproval, type Place } from "./destination.ts";
export {
  createEgress,
  type ConsentPort,
  type ConsentQuestion,
  type Egress,
  type EgressContext,
  type EgressOptions,
  type EgressPolicy,
  type EgressPurpose,
  type EgressRecord,
  type Hosts,
} from "./egress.ts";
export { approvableHost, approvedHost } from "./local-network.ts";
