import type { ErrorAction } from "@benchtop/protocol";
import { CircleAlert } from "lucide-react";
import { useState, type ReactNode } from "react";
import { failureOf, type Failure } from "../api/client.ts";
import { Button } from "./button.tsx";
import { labelOf, type ErrorHandlers } from "./error-actions.ts";
import { formatDuration } from "./format.ts";

export interface NoticeProps {
  readonly failure: Failure;
  readonly handlers?: ErrorHandlers;
  /** What was kept of it, where no action leads there. */
  readonly onReport?: (failureId: string) => void;
  readonly title?: string;
  readonly children?: ReactNode;
}

/** A failure and what its handlers can do; nothing else. For where there is nowhere to go yet, as before anyone is signed in. */
export function FailureBox(props: NoticeProps) {
  const { failure, handlers = {}, onReport } = props;
  const { detail_ref: reportId } = failure;
  const [busy, setBusy] = useState<ErrorAction>();
  const [again, setAgain] = useState<Failure>();
  const actions = failure.actions.filter((action) => handlers[action] !== undefined);
  const retryAfter = failure.detail?.["retry_after_ms"];
  const act = async (action: ErrorAction) => {
    setBusy(action);
    setAgain(undefined);
    try {
      await handlers[action]?.();
    } catch (thrown) {
      setAgain(failureOf(thrown));
    } finally {
      setBusy(undefined);
    }
  };
  return (
    <div role="alert" className="rounded-lg border border-bad-line bg-bad-soft px-3 py-2.5">
      <div className="flex gap-2.5">
        <CircleAlert size={15} aria-hidden className="mt-0.5 shrink-0 text-bad" />
        <div className="min-w-0 flex-1">
          <p className="font-medium break-words text-ink">{props.title ?? failure.message}</p>
          {props.title !== undefined && <p className="break-words text-muted">{failure.message}</p>}
          {props.children}
          <p className="tabular mt-0.5 text-sm text-muted">
            <span className="font-mono text-xs">{failure.error_code}</span>
            {typeof retryAfter === "number" && ` · the provider asks to wait ${formatDuration(retryAfter)}`}
            {reportId !== undefined && onReport !== undefined && !actions.includes("view_report") && (
              <>
                {" · "}
                <button
                  type="button"
                  onClick={() => onReport(reportId)}
                  className="rounded-sm underline underline-offset-2 hover:text-ink"
                >
                  report
                </button>
              </>
            )}
          </p>
          {actions.length > 0 && (
            <div className="mt-2 flex flex-wrap gap-1.5">
              {actions.map((action, index) => (
                <Button
                  key={action}
                  size="small"
                  tone={index === 0 ? "default" : "quiet"}
                  busy={busy === action}
                  onClick={() => void act(action)}
                >
                  {labelOf(action, failure)}
                </Button>
              ))}
            </div>
          )}
          {again !== undefined && (
            <p className="mt-1.5 text-sm break-words text-muted">
              That did not work: {again.message} <span className="font-mono text-xs">{again.error_code}</span>
            </p>
          )}
        </div>
      </div>
    </div>
  );
}
