import type { DraftState } from "@benchtop/operations";
import { Hourglass } from "lucide-react";
import { Button } from "../components/button.tsx";
import { formatCount } from "../components/format.ts";

/** `3 days`, for a Draft that nobody has touched for so long. */
export function untouchedFor({ updatedAt }: DraftState): string {
  if (updatedAt === null) return "a while";
  const days = Math.floor((Date.now() - Date.parse(updatedAt)) / 86_400_000);
  return days < 1 ? "a while" : formatCount(days, "day");
}

/** A Draft that may have been forgotten: it locks the files, and it is not real. */
export function StaleDraft(props: {
  readonly draft: DraftState;
  readonly onReview: () => void;
  readonly onDiscard?: () => void;
}) {
  const { added, modified, deleted } = props.draft.counts;
  return (
    <div role="status" className="border-b border-draft-line bg-draft-soft px-4 py-2">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <Hourglass size={15} aria-hidden className="text-draft" />
        <p className="min-w-60 flex-1">
          <span className="font-medium">Draft untouched for {untouchedFor(props.draft)}.</span>{" "}
          <span className="text-muted">
            {formatCount(added + modified + deleted, "changed file")}, not real yet: review, publish or discard.
          </span>
        </p>
        <span className="flex gap-1.5">
          {" "}
          <Button size="small" onClick={props.onReview}>
            Review
          </Button>
          {props.onDiscard !== undefined && (
            <Button size="small" tone="quiet" onClick={props.onDiscard}>
              Discard…
            </Button>
          )}
        </span>{" "}
      </div>
    </div>
  );
}
