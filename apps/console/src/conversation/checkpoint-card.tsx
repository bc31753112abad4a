import type { ConversationEntry } from "@benchtop/operations";
import type { EventOf } from "@benchtop/protocol";
import { ArchiveRestore, History } from "lucide-react";
import { Button } from "../components/button.tsx";
import { formatCount } from "../components/format.ts";
import { RelativeTime } from "../components/relative-time.tsx";
import { factsOf, type Turn } from "./turn.ts";

const words = { added: "added", modified: "modified", deleted: "deleted" } as const;

/** What was published or restored, and the checkpoint of what was there before, which can be put back. */
export function CheckpointCard(props: {
  readonly entry: ConversationEntry;
  readonly turn: Turn;
  readonly event: EventOf<"CheckpointCreated">;
  /** Why nothing can be restored now. */
  readonly restoreGate: string | undefined;
  readonly onShow: (checkpointId: string) => void;
  readonly onRestore?: (checkpointId: string) => void;
}) {
  const { entry, turn, event } = props;
  const counts = factsOf(turn.result["counts"]);
  const changed = (["added", "modified", "deleted"] as const).flatMap((kind) => {
    const count = counts[kind];
    return typeof count === "number" && count > 0 ? [{ kind, count }] : [];
  });
  const total = changed.reduce((sum, { count }) => sum + count, 0);
  const message = turn.input["message"];
  const verb = entry.kind === "restore" ? "put back" : "published";
  return (
    <section
      aria-label={`Checkpoint: ${total > 0 ? `${formatCount(total, "file")} ${verb}` : verb}`}
      className="tabular flex flex-col gap-2 rounded-lg border border-line bg-raised px-3 py-2.5 shadow-raised"
    >
      {total > 0 && (
        <p className="flex flex-wrap items-baseline gap-x-2">
          <span className="font-semibold">
            {formatCount(total, "file")} {verb}
          </span>
          {changed.map(({ kind, count }) => (
            <span key={kind} className={`text-sm ${tones[kind]}`}>
              {signs[kind]}
              {count} {words[kind]}
            </span>
          ))}
        </p>
      )}
      {typeof message === "string" && message !== "" && (
        <p className="border-l-2 border-line-strong pl-2.5 break-words whitespace-pre-wrap">{message}</p>
      )}
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2 border-t border-line pt-2 first:border-t-0 first:pt-0">
        <History size={15} aria-hidden className="text-faint" />
        <p className="min-w-40 flex-1">
          <span className="font-medium">Checkpoint of what was there before</span>
          <span className="block text-sm text-muted">
            {formatCount(event.fileCount, "file")} · <RelativeTime at={event.at} />
          </span>
        </p>
        <span className="flex flex-wrap gap-1.5">
          <Button size="small" tone="quiet" onClick={() => props.onShow(event.checkpointId)}>
            Review the checkpoint
          </Button>
          {props.onRestore !== undefined && (
            <Button
              size="small"
              icon={<ArchiveRestore size={13} aria-hidden />}
              disabledReason={props.restoreGate}
              onClick={() => props.onRestore?.(event.checkpointId)}
            >
              Restore…
            </Button>
          )}
        </span>
      </div>
    </section>
  );
}

const signs = { added: "+", modified: "±", deleted: "−" } as const;
const tones = { added: "text-good", modified: "text-draft", deleted: "text-bad" } as const;
