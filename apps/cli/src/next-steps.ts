import { quoted } from "./commands/names.ts";
import { modelSteps } from "./model-steps.ts";
import type { BenchtopError, ErrorAction, ErrorCode } from "@benchtop/protocol";

/** What the command was about, so that the next step can be typed as it stands. */
export interface Subject {
  readonly workbench?: string;
  readonly provider?: string;
  readonly model?: string;
  readonly runId?: string;
  /** An installed model, by its name. */
  readonly localModel?: string;
  /** A training, by its run. */
  readonly training?: string;
  /** Where a model is to come from. */
  readonly source?: string;
  /** A model on its way, by the id of its download. */
  readonly download?: string;
}

/**
 * What to type next after a failure, best first. Read from the code where it says more than its actions do, else from
 * `actions[]`.
 */
export function nextSteps(error: BenchtopError, subject: Subject): string[] {
  const about = typed(withIdsOf(error, subject));
  const special = modelSteps(about, error) ?? byCode[error.code]?.(about, error);
  const steps = special ?? error.info.actions.flatMap((action) => byAction[action](about, error));
  return [...new Set(steps)].slice(0, 3);
}

export type Steps = (subject: Subject, error: BenchtopError) => string[];

const byCode: Partial<Record<ErrorCode, Steps>> = {
  EGRESS_CONSENT_REQUIRED: () => [
    "add `--consent once` to agree for this run, or `--consent always` to keep the answer",
    "see what would be sent where: `benchtop consent status WORKBENCH --model MODEL`",
  ],
  EGRESS_BLOCKED_BY_POLICY: () => [
    "use an https:// address with a host name; `--local` is for servers on this machine's loopback only",
    "`benchtop providers list`",
  ],
  PROVIDER_NOT_CONFIGURED: ({ provider }) => [
    `\`benchtop providers add ${provider ?? "NAME"} --kind openai-responses --base-url https://HOST/v1 --api-key-env VAR\``,
    "`benchtop models` shows the models that can be used now",
  ],
  PROVIDER_AUTH_FAILED: ({ provider }) => [
    `set the right key and hand it over again: \`benchtop providers add ${provider ?? "NAME"} … --api-key-env VAR\``,
    `check it: \`benchtop providers test ${provider ?? "NAME"}\``,
  ],
  PROVIDER_RATE_LIMITED: (_, error) => [
    `try again ${afterWait(error)}`,
    "or choose another model: `benchtop models`, then `--model PROVIDER/MODEL`",
  ],
  PROVIDER_UNAVAILABLE: ({ provider }) => [
    "`benchtop models` shows the models that answer; choose one with `--model PROVIDER/MODEL`",
    `\`benchtop providers test ${provider ?? "NAME"}\`, then try again`,
  ],
  NETWORK_UNAVAILABLE: ({ provider }, error) =>
    error.info.subphase === "untrusted_certificate"
      ? [
          "let NODE_EXTRA_CA_CERTS name the certificate (PEM) of its authority, or put that behind its own in `tls.certFile`",
        ]
      : error.info.subphase === "daemon_unreachable"
        ? ["see whether the daemon runs: `benchtop status`; start it with `benchtop up`"]
        : [
            `check the address and the connection: \`benchtop providers test ${provider ?? "NAME"}\``,
            "`benchtop providers list` shows where requests go",
          ],
  CONTEXT_EXHAUSTED: () => ["choose a model that can read more: `benchtop models`, then `--model PROVIDER/MODEL`"],
  DISK_FULL: () => ["make room on the disk that holds BENCHTOP_HOME (`df -h`), then try again"],
  DRAFT_EXISTS: ({ workbench }) => [
    `look at it: \`benchtop draft diff ${workbench ?? "NAME"}\``,
    `then \`benchtop draft publish ${workbench ?? "NAME"}\` or \`benchtop draft discard ${workbench ?? "NAME"}\``,
  ],
  CONFLICT_PUBLISHED_CHANGED: ({ workbench }) => [
    `see what another program changed: \`benchtop workbench changes ${workbench ?? "NAME"}\``,
    `keep that (\`benchtop workbench adopt ${workbench ?? "NAME"}\`) or undo it (\`benchtop workbench revert ${workbench ?? "NAME"}\`)`,
  ],
  RUN_REPLAYED: ({ runId }) => [
    `see the run that has this id: \`benchtop runs show ${runId ?? "ID"}\``,
    "choose another `--run-id`, or leave it out",
  ],
  BUDGET_CAP_REACHED: ({ runId }) => [
    "allow more: `--max-steps N`, `--max-tokens N`, `--max-cost USD`, `--max-duration 10m`",
    `see where it went: \`benchtop runs show ${runId ?? "ID"} --events\``,
  ],
  RUN_INTERRUPTED: ({ runId }) => [
    `see how far it came: \`benchtop runs show ${runId ?? "ID"} --events\``,
    `go on from there: \`benchtop runs fork ${runId ?? "ID"}\``,
    "or run it again",
  ],
  REPLAY_DIVERGED: ({ runId }) => [
    `see what is recorded: \`benchtop runs show ${runId ?? "ID"} --events\``,
    `go on all the same: \`benchtop runs resume ${runId ?? "ID"} --accept-changes\` with your decision`,
  ],
  POLICY_DENIED: () => ['the gates are in config.json in BENCHTOP_HOME; `mode: "shadow"` only records what they say'],
  AUTH_REQUIRED: () => [
    "for a daemon elsewhere: `benchtop login URL`, or BENCHTOP_URL and BENCHTOP_TOKEN",
    "for the one of this machine: BENCHTOP_HOME is to be the folder that holds its bootstrap-token",
  ],
  PERMISSION_DENIED: (_, error) => {
    const permission = error.info.detail?.["permission"];
    return [
      "see who you are here, and what you may do: `benchtop whoami`",
      typeof permission === "string"
        ? `use a token that may do this (${permission}): \`benchtop login\`, or BENCHTOP_TOKEN`
        : "see which workspaces are yours: `benchtop workspaces list`, then `benchtop workspaces use NAME`",
    ];
  },
  RATE_LIMITED: (_, error) => [`try again ${afterWait(error)}`],
  SANDBOX_VIOLATION: () => ["paths are relative to the workbench, without `..`, links or reserved names"],
  USER_CANCELED: ({ runId }) =>
    runId === undefined ? [] : [`what it said so far: \`benchtop runs show ${runId} --events\``],
  INTERNAL: (_, error) => [reportOf(error) ?? "the daemon's log holds more: `benchtop status` says where it is"],
};

/** Where the report of a failure is: kept by the daemon, or as a file where it could not be. */
function reportOf({ info }: BenchtopError): string | undefined {
  const { detail_ref: ref } = info;
  if (ref === undefined) return undefined;
  return ref.startsWith("fail_") ? `\`benchtop failures show ${ref}\`` : `report: reports/${ref}.json in BENCHTOP_HOME`;
}

const byAction: Record<ErrorAction, Steps> = {
  retry: () => ["try again"],
  resume: ({ runId }) => [`go on from there: \`benchtop runs fork ${runId ?? "ID"}\``],
  switch_model: () => ["choose another model: `benchtop models`"],
  open_settings: () => ["`benchtop providers list`"],
  restore_checkpoint: ({ workbench }) => [`\`benchtop checkpoints list ${workbench ?? "NAME"}\``],
  free_disk_space: () => ["make room on the disk, then try again"],
  view_report: (_, error) => [reportOf(error) ?? []].flat(),
  review_draft: ({ workbench }) => [`\`benchtop draft diff ${workbench ?? "NAME"}\``],
  discard_draft: ({ workbench }) => [`\`benchtop draft discard ${workbench ?? "NAME"}\``],
  grant_consent: () => ["add `--consent once`"],
};

function withIdsOf(error: BenchtopError, subject: Subject): Subject {
  const { provider_id: provider, run_id: runId, workbench_id: workbench } = error.info;
  return {
    ...(workbench !== undefined && { workbench }),
    ...(provider !== undefined && { provider }),
    ...(runId !== undefined && { runId }),
    ...subject,
  };
}

/** Names as a shell takes them. */
function typed({ workbench, ...rest }: Subject): Subject {
  return workbench === undefined ? rest : { ...rest, workbench: quoted(workbench) };
}

function afterWait(error: BenchtopError): string {
  const milliseconds = error.info.detail?.["retry_after_ms"];
  return typeof milliseconds === "number" ? `in ${Math.max(1, Math.ceil(milliseconds / 1000))} s` : "in a moment";
}
