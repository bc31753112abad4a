import { CircleAlert, CircleCheck, CircleDashed, CircleHelp, Copy, Gauge } from "lucide-react";
import { Chip, type Tone } from "./chip.tsx";

export type StatusName = "pending" | "waiting" | "success" | "error" | "budget_exceeded" | "replay";

const statuses: Record<StatusName, { readonly label: string; readonly tone: Tone; readonly icon: typeof Gauge }> = {
  pending: { label: "Running", tone: "accent", icon: CircleDashed },
  waiting: { label: "Waits for you", tone: "draft", icon: CircleHelp },
  success: { label: "Done", tone: "good", icon: CircleCheck },
  error: { label: "Failed", tone: "bad", icon: CircleAlert },
  budget_exceeded: { label: "Over budget", tone: "draft", icon: Gauge },
  replay: { label: "Replay refused", tone: "neutral", icon: Copy },
};

/** The state of a run: a shape, a word, and a colour. `errorCode` tells a stop apart from a failure. */
export function RunStatus(props: { readonly status: StatusName; readonly errorCode?: string | null }) {
  const stopped = props.status === "error" && props.errorCode === "USER_CANCELED";
  const interrupted = props.status === "error" && props.errorCode === "RUN_INTERRUPTED";
  const { label, tone, icon: Icon } = statuses[props.status];
  return (
    <Chip
      tone={stopped ? "neutral" : interrupted ? "draft" : tone}
      icon={<Icon size={12} aria-hidden className={props.status === "pending" ? "spin" : undefined} />}
    >
      {stopped ? "Stopped" : interrupted ? "Interrupted" : label}
    </Chip>
  );
}
