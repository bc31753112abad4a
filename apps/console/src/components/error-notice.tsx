import type { ErrorAction } from "@benchtop/protocol";
import { useNavigate } from "@tanstack/react-router";
import { CircleAlert } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { Failure } from "../api/client.ts";
import { Button } from "./button.tsx";
import { formatDuration } from "./format.ts";

const labels: Record<ErrorAction, string> = {
  retry: "Try again",
  resume: "Resume",
  switch_model: "Switch model",
  open_settings: "Open settings",
  restore_checkpoint: "Show checkpoints",
  free_disk_space: "Show where files are kept",
  view_report: "View the run",
  review_draft: "Review Draft",
  discard_draft: "Discard Draft",
  grant_consent: "Review what is sent",
};

export type ErrorHandlers = Partial<Record<ErrorAction, () => void | Promise<void>>>;

interface NoticeProps {
  readonly failure: Failure;
  readonly handlers?: ErrorHandlers;
  readonly title?: string;
  readonly children?: ReactNode;
}

/** A failure next to its cause, in words, with the actions of its code as buttons. The surface says what each one does here. */
export function ErrorNotice(props: NoticeProps) {
  return <FailureBox {...props} handlers={{ ...useDefaultHandlers(props.failure), ...props.handlers }} />;
}

/** The same where there is nowhere else to go yet: before anyone is signed in. */
export function FailureBox(props: NoticeProps) {
  const { failure, handlers = {} } = props;
  const [busy, setBusy] = useState<ErrorAction>();
  const actions = failure.actions.filter((action) => handlers[action] !== undefined);
  const retryAfter = failure.detail?.["retry_after_ms"];
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
          </p>
          {actions.length > 0 && (
            <div className="mt-2 flex flex-wrap gap-1.5">
              {actions.map((action, index) => (
                <Button
                  key={action}
                  size="small"
                  tone={index === 0 ? "default" : "quiet"}
                  busy={busy === action}
                  onClick={() => {
                    setBusy(action);
                    void Promise.resolve(handlers[action]?.()).finally(() => setBusy(undefined));
                  }}
                >
                  {labels[action]}
                </Button>
              ))}
            </div>
          )}
        </div>
      </div>
    </div>
  );
}

function useDefaultHandlers(failure: Failure): ErrorHandlers {
  const navigate = useNavigate();
  const { run_id: runId, workbench_id: workbenchId } = failure;
  return {
    // No setting of their own gives somebody a permission.
    ...(failure.error_code !== "PERMISSION_DENIED" &&
      failure.error_code !== "AUTH_REQUIRED" && {
        open_settings: () => navigate({ to: "/settings", search: { section: "providers" } }),
      }),
    free_disk_space: () => navigate({ to: "/settings", search: { section: "about" } }),
    ...(runId !== undefined && { view_report: () => navigate({ to: "/runs/$runId", params: { runId } }) }),
    ...(workbenchId !== undefined && {
      review_draft: () =>
        navigate({ to: "/workbenches/$workbenchId", params: { workbenchId }, search: { pane: "review" } }),
      restore_checkpoint: () =>
        navigate({ to: "/workbenches/$workbenchId", params: { workbenchId }, search: { pane: "checkpoints" } }),
    }),
  };
}
