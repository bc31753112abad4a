import { BenchtopError, errorActions, errorCodes, errorRules } from "@benchtop/protocol";
import { expect, test } from "vitest";
import type { Failure } from "../api/client.ts";
import { handlersFor, labelOf, type ErrorPlace, type WorkbenchPlace } from "./error-actions.ts";

const done: string[] = [];
const record = (what: string) => () => void done.push(what);
const workbench: WorkbenchPlace = {
  workbenchId: "wb_1",
  retry: async () => void done.push("retry"),
  switchModel: record("switch"),
  grantConsent: async () => {
    done.push("consent");
    return true;
  },
  reviewDraft: record("review"),
  discardDraft: record("discard"),
  showCheckpoints: record("checkpoints"),
  restoreCheckpoint: (checkpointId) => void done.push(`restore ${checkpointId}`),
};
const elsewhere: ErrorPlace = {
  workbench: undefined,
  openSettings: (section) => void done.push(`settings ${section}`),
  openRun: (runId) => void done.push(`run ${runId}`),
  openReport: (failureId) => void done.push(`report ${failureId}`),
  openWorkbench: (workbenchId, pane = "conversation") => void done.push(`${workbenchId} ${pane}`),
  resume: async (runId) => void done.push(`resume ${runId}`),
};
const place: ErrorPlace = { ...elsewhere, workbench };

function failure(code: (typeof errorCodes)[number], more: Partial<Failure> = {}): Failure {
  return {
    ...new BenchtopError(code, "In words.", {
      runId: "run_1",
      workbenchId: "wb_1",
      providerId: "far",
      modelId: "m",
    }).info,
    message: "In words.",
    ...more,
  };
}

async function act(of: Failure, action: (typeof errorActions)[number], at = place): Promise<string[]> {
  done.length = 0;
  await handlersFor(of, at)[action]?.();
  return [...done];
}

test.each(errorCodes)("S9 on a workbench every action of %s does something, and has a label", async (code) => {
  const { actions } = errorRules[code];
  expect(Object.keys(handlersFor(failure(code), place)).toSorted()).toEqual([...actions].toSorted());
  for (const action of actions) {
    expect(labelOf(action, failure(code))).toMatch(/^[A-Z][a-z]/);
    expect(await act(failure(code), action)).not.toEqual([]);
  }
});

test("S9 each action there is belongs to some code, and no two are labelled alike", () => {
  const known = new Set<string>(errorCodes.flatMap((code) => errorRules[code].actions));
  expect(errorActions.filter((action) => !known.has(action))).toEqual([]);
  expect(new Set(errorActions.map((action) => labelOf(action, failure("INTERNAL")))).size).toBe(errorActions.length);
});

test("S9 what a role does not allow is not offered, on the workbench and nowhere else", () => {
  const { switchModel: _, grantConsent: __, discardDraft: ___, ...viewer } = workbench;
  const seen = { ...place, workbench: viewer };
  expect(Object.keys(handlersFor(failure("EGRESS_CONSENT_REQUIRED"), seen))).toEqual([]);
  expect(Object.keys(handlersFor(failure("DRAFT_EXISTS"), seen))).toEqual(["review_draft"]);
});

test("S9 the message decides nothing", () => {
  for (const code of errorCodes) {
    const said = Object.keys(handlersFor(failure(code), place));
    expect(Object.keys(handlersFor(failure(code, { message: "Draft exists. Retry. Consent." }), place))).toEqual(said);
  }
});

test("S7 consent that is granted from the error tries again by itself; one that is not, does not", async () => {
  expect(await act(failure("EGRESS_CONSENT_REQUIRED"), "grant_consent")).toEqual(["consent", "retry"]);
  const refused = { ...place, workbench: { ...workbench, grantConsent: async () => false } };
  expect(await act(failure("EGRESS_CONSENT_REQUIRED"), "grant_consent", refused)).toEqual([]);
});

test("S9 the surface's own way of trying again comes first, after a consent too", async () => {
  const own = { retry: record("own") };
  done.length = 0;
  await handlersFor(failure("EGRESS_CONSENT_REQUIRED"), place, own).grant_consent?.();
  await handlersFor(failure("DISK_FULL"), place, own).retry?.();
  expect(done).toEqual(["consent", "own", "own"]);
});

test("S9 a conflict that names a checkpoint leads to restoring it, any other to the list", async () => {
  const past = failure("CONFLICT_PUBLISHED_CHANGED", { detail: { checkpointId: "cp_1" } });
  expect(await act(past, "restore_checkpoint")).toEqual(["restore cp_1"]);
  expect(await act(failure("CONFLICT_PUBLISHED_CHANGED"), "restore_checkpoint")).toEqual(["checkpoints"]);
  const { restoreCheckpoint: _, ...viewer } = workbench;
  expect(await act(past, "restore_checkpoint", { ...place, workbench: viewer })).toEqual(["checkpoints"]);
});

test("S11 a failure that was kept opens its report, any other its run", async () => {
  expect(await act(failure("INTERNAL", { detail_ref: "flr_1" }), "view_report")).toEqual(["report flr_1"]);
  expect(await act(failure("INTERNAL"), "view_report")).toEqual(["run run_1"]);
});

test("S9 away from the workbench the error's own facts lead there", async () => {
  expect(await act(failure("DRAFT_EXISTS"), "review_draft", elsewhere)).toEqual(["wb_1 review"]);
  expect(await act(failure("CONFLICT_PUBLISHED_CHANGED"), "restore_checkpoint", elsewhere)).toEqual([
    "wb_1 checkpoints",
  ]);
  expect(await act(failure("EGRESS_CONSENT_REQUIRED"), "grant_consent", elsewhere)).toEqual(["wb_1 conversation"]);
  expect(await act(failure("EGRESS_BLOCKED_BY_POLICY"), "open_settings", elsewhere)).toEqual(["settings network"]);
  expect(await act(failure("RUN_INTERRUPTED"), "resume", elsewhere)).toEqual(["resume run_1"]);
});
