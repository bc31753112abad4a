import type { ErrorAction, ErrorCode } from "@benchtop/protocol";
import { createContext } from "react";
import type { Failure } from "../api/client.ts";
import type { SettingsSearch } from "../search.ts";

export type ErrorHandlers = Partial<Record<ErrorAction, () => void | Promise<void>>>;

/** What the workbench on the screen can do about an error that is shown anywhere on it. What a role does not allow is absent. */
export interface WorkbenchPlace {
  readonly workbenchId: string;
  /** Everything that is shown of it is asked again. */
  readonly retry: () => Promise<void>;
  readonly switchModel?: () => void;
  /** Shows what would be sent; true once a person has agreed. */
  readonly grantConsent?: (failure: Failure) => Promise<boolean>;
  readonly reviewDraft: () => void;
  readonly discardDraft?: () => void;
  readonly showCheckpoints: () => void;
  readonly restoreCheckpoint?: (checkpointId: string) => void;
}

/** What the console can do about an error wherever it is shown. */
export interface ErrorPlace {
  readonly openSettings: (section: SettingsSearch["section"]) => void;
  readonly openRun: (runId: string) => void;
  readonly openReport: (failureId: string) => void;
  /** Without a pane its conversation, where the same error stands with all that can be done about it. */
  readonly openWorkbench: (workbenchId: string, pane?: "review" | "checkpoints") => void;
  readonly resume: (runId: string) => Promise<void>;
  readonly workbench: WorkbenchPlace | undefined;
}

/** The workbench that is on the screen, for every error below it. */
export const WorkbenchPlaceContext = createContext<WorkbenchPlace | undefined>(undefined);

/** Which part of the settings has to do with an error. */
const sections: Partial<Record<ErrorCode, SettingsSearch["section"]>> = {
  EGRESS_BLOCKED_BY_POLICY: "network",
  // What a run may spend and what gates refuse is the operator's configuration.
  BUDGET_CAP_REACHED: "about",
  POLICY_DENIED: "about",
  // Who one is here, and where else one is signed in.
  PERMISSION_DENIED: "workspace",
  AUTH_REQUIRED: "sign-ins",
};

/**
 * The actions of an error as things that can be done here: what the surface itself knows best (`own`), else what the workbench
 * on the screen can, else where the error's own facts lead. Nothing is read from its message.
 */
export function handlersFor(failure: Failure, place: ErrorPlace, own: ErrorHandlers = {}): ErrorHandlers {
  const { error_code: code, run_id: runId, workbench_id: workbenchId, detail_ref: reportId } = failure;
  const { workbench } = place;
  const retry = own.retry ?? workbench?.retry;
  const { grantConsent } = workbench ?? {};
  const checkpointId = failure.detail?.["checkpointId"];
  const all: Record<ErrorAction, (() => void | Promise<void>) | undefined> = {
    retry,
    resume: runId === undefined ? undefined : () => place.resume(runId),
    switch_model: workbench?.switchModel ?? there(),
    open_settings: () => place.openSettings(sections[code] ?? "providers"),
    restore_checkpoint: restoring(),
    free_disk_space: () => (workbench === undefined ? place.openSettings("about") : workbench.showCheckpoints()),
    view_report:
      reportId !== undefined
        ? () => place.openReport(reportId)
        : runId === undefined
          ? undefined
          : () => place.openRun(runId),
    review_draft: workbench?.reviewDraft ?? there("review"),
    discard_draft: workbench?.discardDraft ?? there("review"),
    grant_consent:
      grantConsent === undefined
        ? there()
        : async () => {
            // Agreed: what was refused is tried again by itself.
            if (await grantConsent(failure)) await retry?.();
          },
  };
  const handlers: ErrorHandlers = {};
  for (const action of failure.actions) {
    const handler = own[action] ?? all[action];
    if (handler !== undefined) handlers[action] = handler;
  }
  return handlers;

  /** Away from the workbench: to where it can be done. On it, what is absent is not allowed. */
  function there(pane?: "review" | "checkpoints"): (() => void) | undefined {
    if (workbench !== undefined || workbenchId === undefined) return undefined;
    return () => place.openWorkbench(workbenchId, pane);
  }

  function restoring(): (() => void) | undefined {
    if (workbench === undefined) return there("checkpoints");
    const { restoreCheckpoint } = workbench;
    if (typeof checkpointId !== "string" || restoreCheckpoint === undefined) return workbench.showCheckpoints;
    return () => restoreCheckpoint(checkpointId);
  }
}

/** What the button of an action says. */
export function labelOf(action: ErrorAction, failure: Failure): string {
  if (action === "view_report" && failure.detail_ref === undefined) return "View the run";
  if (action === "restore_checkpoint" && typeof failure.detail?.["checkpointId"] === "string") return "Restore…";
  return labels[action];
}

const labels: Record<ErrorAction, string> = {
  retry: "Try again",
  resume: "Resume",
  switch_model: "Switch model",
  open_settings: "Open settings",
  restore_checkpoint: "Show checkpoints",
  free_disk_space: "Free some space",
  view_report: "View the report",
  review_draft: "Review Draft",
  discard_draft: "Discard Draft…",
  grant_consent: "Review what is sent",
};
