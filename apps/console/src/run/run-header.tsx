import type { Run } from "@benchtop/operations";
import type { ForkOrigin } from "@benchtop/protocol";
import { Link } from "@tanstack/react-router";
import { BadgeCheck, Square } from "lucide-react";
import { useState, type ReactNode } from "react";
import { client, failureOf } from "../api/client.ts";
import { queryClient } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { CopyId } from "../components/copy-text.tsx";
import { Elapsed } from "../components/elapsed.tsx";
import { formatCost, formatCount, formatDuration, formatNumber } from "../components/format.ts";
import { RelativeTime } from "../components/relative-time.tsx";
import type { Turn } from "../conversation/turn.ts";
import { useMay } from "../identity/identity.ts";
import { RunMenu } from "./run-again.tsx";

/** The numbers of a run, true while it runs: what is not in the ledger yet is read from its events. */
export function RunNumbers(props: {
  readonly run: Run;
  readonly turn: Turn;
  readonly events: number;
  /** The run and the event that it was forked from. */
  readonly origin: ForkOrigin | undefined;
}) {
  const { run, turn, origin } = props;
  const running = turn.status === "running" && run.status === "pending";
  const usage = turn.totals?.usage;
  const input = usage?.inputTokens ?? Math.max(turn.inputTokens, run.inputTokens);
  const output = usage?.outputTokens ?? Math.max(turn.outputTokens, run.outputTokens);
  const duration = turn.totals?.durationMs ?? run.durationMs;
  const firstToken = turn.totals?.firstTokenMs ?? run.firstTokenMs;
  const facts: readonly (readonly [string, ReactNode])[] = [
    ["Model", run.modelId === null ? "none" : `${run.providerId}/${run.modelId}`],
    ["Duration", running ? <Elapsed since={run.startedAt} /> : duration === null ? "–" : formatDuration(duration)],
    ["First token", firstToken === null ? "–" : formatDuration(firstToken)],
    ["Tokens", input + output === 0 ? "–" : `${formatNumber(input)} in · ${formatNumber(output)} out`],
    ["Cost", formatCost(turn.totals?.costMicros ?? turn.costMicros ?? run.costMicros)],
    ["Events", formatNumber(Math.max(props.events, run.eventCount))],
    ["Started", <RelativeTime key="started" at={run.startedAt} />],
    ["Trace", <CopyId key="trace" id={run.traceId} label="trace id" />],
    ["Run", <CopyId key="run" id={run.runId} label="run id" />],
  ];
  return (
    <dl className="tabular flex shrink-0 flex-wrap gap-x-6 gap-y-1 border-b border-line px-4 py-2">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt className="text-xs text-faint">{name}</dt>
          <dd className="text-sm font-medium">{value}</dd>
        </div>
      ))}
      {run.parentRunId !== null && (
        <div>
          <dt className="text-xs text-faint">
            {origin ? `Forked at event ${origin.seq} of` : (parentWords[run.kind] ?? "Part of")}
          </dt>
          <dd className="text-sm font-medium">
            <Link
              to="/runs/$runId"
              params={{ runId: run.parentRunId }}
              search={origin ? { event: origin.seq } : {}}
              className="rounded-sm text-accent-ink underline-offset-2 hover:underline"
            >
              another run
            </Link>
          </dd>
        </div>
      )}
      {run.kind === "eval" && (
        <div>
          <dt className="text-xs text-faint">Evaluation</dt>
          <dd className="text-sm font-medium">
            <Link
              to="/evals/$runId"
              params={{ runId: run.runId }}
              className="rounded-sm text-accent-ink underline-offset-2 hover:underline"
            >
              its report
            </Link>
          </dd>
        </div>
      )}
      {(run.kind === "quantize" || run.kind === "train") && (
        <div>
          <dt className="text-xs text-faint">Job</dt>
          <dd className="text-sm font-medium">
            <Link
              to="/models/jobs/$runId"
              params={{ runId: run.runId }}
              className="rounded-sm text-accent-ink underline-offset-2 hover:underline"
            >
              its curves
            </Link>
          </dd>
        </div>
      )}
      {run.workbenchId !== null && (
        <div>
          <dt className="text-xs text-faint">Workbench</dt>
          <dd className="text-sm font-medium">
            <Link
              to="/workbenches/$workbenchId"
              params={{ workbenchId: run.workbenchId }}
              className="rounded-sm text-accent-ink underline-offset-2 hover:underline"
            >
              open
            </Link>
          </dd>
        </div>
      )}
    </dl>
  );
}

/** What a run has to do with the one that it names as its parent. */
const parentWords: Readonly<Record<string, string>> = { replay: "Replay of", undo: "Undo of" };

export function RunActions(props: { readonly run: Run; readonly running: boolean; readonly waiting: boolean }) {
  const { run, running, waiting } = props;
  const [proof, setProof] = useState<string>();
  const mayDrive = useMay("runs:write");
  const [busy, setBusy] = useState(false);
  const verify = async () => {
    setBusy(true);
    try {
      const answer = await client.call("runs.verify", { runId: run.runId });
      setProof(
        answer.ok
          ? `Whole and unchanged: ${formatCount(answer.eventCount, "event")}`
          : `Damaged: ${answer.violations.slice(0, 2).join("; ")}`,
      );
    } catch (thrown) {
      setProof(failureOf(thrown).message);
    } finally {
      setBusy(false);
    }
  };
  const stop = async () => {
    await client.call("runs.abort", { runId: run.runId, reason: "Stopped in the console." });
    await queryClient.invalidateQueries({ queryKey: ["runs.list"] });
  };
  return (
    <>
      {proof !== undefined && (
        <span role="status" className="text-sm text-muted max-sm:hidden">
          {proof}
        </span>
      )}
      {running || waiting ? (
        mayDrive && (
          <Button
            size="small"
            tone="danger"
            icon={<Square size={11} aria-hidden fill="currentColor" />}
            onClick={() => void stop()}
          >
            Stop
          </Button>
        )
      ) : (
        <Button
          size="small"
          busy={busy}
          icon={<BadgeCheck size={13} aria-hidden />}
          tip="Checks the hash chain and every rule of the journal."
          onClick={() => void verify()}
        >
          Verify journal
        </Button>
      )}
      {mayDrive && <RunMenu run={run} ended={!running && !waiting} />}
    </>
  );
}
