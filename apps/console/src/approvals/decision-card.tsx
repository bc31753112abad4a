import type { ConsentStatus, Suspension } from "@benchtop/operations";
import type { Decision } from "@benchtop/protocol";
import { CircleHelp, ShieldQuestion } from "lucide-react";
import { useId, useState, type ReactNode } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { queryClient } from "../api/queries.ts";
import { ArgumentsView } from "../components/arguments-view.tsx";
import { Button } from "../components/button.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { RelativeTime } from "../components/relative-time.tsx";
import { ConsentDialog } from "../conversation/consent-dialog.tsx";
import { useDenied } from "../identity/identity.ts";

const choices = {
  approval: { yes: "approve", no: "deny", yesLabel: "Approve", noLabel: "Deny" },
  question: { yes: "approve", no: "deny", yesLabel: "Yes", noLabel: "No" },
  "outcome-unknown": { yes: "retry", no: "skip", yesLabel: "Execute again", noLabel: "Do not" },
} as const satisfies Record<Suspension["reason"], { yes: Decision; no: Decision; yesLabel: string; noLabel: string }>;

/**
 * What a run waits for, with what it would do, and both answers as buttons. A word to the model can go with either. Nothing
 * is lost while it waits: the run takes no memory and survives a restart.
 */
export function DecisionCard(props: {
  readonly runId: string;
  readonly suspension: Suspension;
  readonly children?: ReactNode;
  readonly onDecided?: () => void;
}) {
  const { runId, suspension } = props;
  const choice = choices[suspension.reason];
  const [note, setNote] = useState("");
  const [busy, setBusy] = useState<Decision>();
  const [failure, setFailure] = useState<{ readonly of: Failure; readonly decision: Decision }>();
  const [asked, setAsked] = useState<{ readonly status: ConsentStatus; readonly decision: Decision }>();
  const noteId = useId();
  const mayNotDecide = useDenied("runs:write");

  const decide = async (
    decision: Decision,
    more: { consent?: { mode: "once" | "always"; scopeHash?: string }; acceptChanges?: boolean } = {},
  ) => {
    setBusy(decision);
    setFailure(undefined);
    try {
      await client.call("runs.resume", { runId, decision, ...(note.trim() !== "" && { note: note.trim() }), ...more });
      await queryClient.invalidateQueries({ queryKey: ["runs.list"] });
      await queryClient.invalidateQueries({ queryKey: ["runs.get", { runId }] });
      props.onDecided?.();
    } catch (thrown) {
      setFailure({ of: failureOf(thrown), decision });
    } finally {
      setBusy(undefined);
    }
  };
  /** What would be sent is shown before it is agreed to; a run without a workbench shows its own question alone. */
  const grant = async (refused: Failure, decision: Decision) => {
    const { workbench_id: workbenchId, provider_id: provider, model_id: modelId } = refused;
    const scopeHash = refused.detail?.["scopeHash"];
    if (workbenchId === undefined || provider === undefined || modelId === undefined) {
      return await decide(decision, { consent: { mode: "once", ...(typeof scopeHash === "string" && { scopeHash }) } });
    }
    const { workshop: status } = await client.call("egress.consentStatus", {
      workbenchId,
      model: `${provider}/${modelId}`,
    });
    setAsked({ status, decision });
  };
  return (
    <section
      aria-label={`Decision about ${suspension.tool}`}
      className="flex flex-col gap-2.5 rounded-lg border border-draft-line bg-draft-soft px-3.5 py-3"
    >
      <div className="flex gap-2.5">
        {suspension.reason === "approval" ? (
          <ShieldQuestion size={16} aria-hidden className="mt-0.5 shrink-0 text-draft" />
        ) : (
          <CircleHelp size={16} aria-hidden className="mt-0.5 shrink-0 text-draft" />
        )}
        <div className="min-w-0 flex-1">
          <p className="font-medium break-words">{suspension.question}</p>
          <p className="text-sm text-muted">
            <span className="font-mono text-xs">{suspension.tool}</span>
            {suspension.gate !== undefined && ` · gate ${suspension.gate}`} · asked <RelativeTime at={suspension.at} />
          </p>
        </div>
      </div>
      <ArgumentsView value={suspension.arguments} />
      {props.children}
      {mayNotDecide !== undefined && <p className="text-sm text-muted">It waits for somebody else. {mayNotDecide}</p>}
      {mayNotDecide === undefined && (
        <div className="flex flex-wrap items-end justify-end gap-2">
          <div className="min-w-48 flex-1 max-sm:basis-full">
            <label htmlFor={noteId} className="mb-1 block text-sm text-muted">
              A word to the model (optional)
            </label>
            <input
              id={noteId}
              className="field"
              value={note}
              maxLength={20_000}
              onChange={(event) => setNote(event.target.value)}
              placeholder={choice.no === "deny" ? "Why not, or what to do instead" : "What you found out"}
            />
          </div>
          <Button busy={busy === choice.no} onClick={() => void decide(choice.no)}>
            {choice.noLabel}
          </Button>
          <Button tone="primary" busy={busy === choice.yes} onClick={() => void decide(choice.yes)}>
            {choice.yesLabel}
          </Button>
        </div>
      )}
      {failure !== undefined && (
        <ErrorNotice
          failure={failure.of}
          handlers={{
            retry: () => decide(failure.decision),
            grant_consent: () => grant(failure.of, failure.decision),
          }}
        >
          {failure.of.error_code === "REPLAY_DIVERGED" && (
            <div className="mt-2">
              <Button size="small" onClick={() => void decide(failure.decision, { acceptChanges: true })}>
                Go on with what Benchtop does now
              </Button>
            </div>
          )}
        </ErrorNotice>
      )}
      {asked !== undefined && (
        <ConsentDialog
          status={asked.status}
          onClose={() => setAsked(undefined)}
          onChoose={(mode) => {
            setAsked(undefined);
            void decide(asked.decision, { consent: { mode, scopeHash: asked.status.scopeHash } });
          }}
        />
      )}
    </section>
  );
}
