import { ShieldOff } from "lucide-react";
import { useIdentity } from "../identity/identity.ts";

/** Stays as long as it is true: whoever reaches this address may do everything. */
export function NoSignInBanner() {
  const identity = useIdentity();
  if (identity?.via !== "none") return null;
  return (
    <div
      role="alert"
      className="flex shrink-0 items-start justify-center gap-2 border-b border-bad-line bg-bad-soft px-4 py-1.5 text-sm"
    >
      <ShieldOff size={14} aria-hidden className="mt-0.5 shrink-0 text-bad" />
      <p>
        <span className="font-semibold text-bad">Nobody is asked who they are.</span> Every program on this machine can
        do everything here, because the configuration of this daemon turns authentication off.
      </p>
    </div>
  );
}
