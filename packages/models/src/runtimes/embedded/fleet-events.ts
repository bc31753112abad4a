import type { LeaveReason } from "./resident.ts";

/** What happens in the fleet, as it happens. */
export type FleetEvent = { readonly model: string } & (
  | { readonly type: "waiting"; readonly waiting: number }
  | { readonly type: "loading"; readonly estimatedBytes: number }
  | { readonly type: "loaded"; readonly loadMs: number; readonly memoryBytes: number; readonly device: string }
  | { readonly type: "failed"; readonly message: string; readonly retryable: boolean }
  | { readonly type: "left"; readonly reason: LeaveReason }
  | {
      readonly type: "answered";
      readonly outputTokens: number;
      readonly tokensPerSecond?: number;
      readonly firstTokenMs?: number;
    }
);

export type FleetListener = (event: FleetEvent) => void;
