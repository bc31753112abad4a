import type { OutputOf, Operations, Run } from "@benchtop/operations";
import { useNavigate } from "@tanstack/react-router";
import { Ellipsis, GitFork, RotateCcw, Undo2 } from "lucide-react";
import { useId, useState } from "react";
import { client } from "../api/client.ts";
import { queryClient, refreshWorkbench } from "../api/queries.ts";
import { IconButton, Button } from "../components/button.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatCount } from "../components/format.ts";
import { Menu } from "../components/menu.tsx";
import { useAttempt } from "../components/use-attempt.ts";
import { useMay } from "../identity/identity.ts";
import { ModelPicker } from "../providers/model-picker.tsx";

type Report = OutputOf<Operations["runs.replay"]>["report"];

/** Only such a run can be driven again. */
function asksModels({ kind }: Run): boolean {
  return kind === "agent" || kind === "message" || kind === "prompt";
}

/** What can be done with a run that has been: drive it again, go on from its end, take it back. */
export function RunMenu(props: { readonly run: Run; readonly ended: boolean }) {
  const { run, ended } = props;
  const [open, setOpen] = useState<"replay" | "fork" | "undo">();
  const close = () => setOpen(undefined);
  if (!asksModels(run)) return null;
  const notEnded = ended ? undefined : "The run is still going.";
  return (
    <>
      <Menu
        trigger={
          <IconButton label="Replay, fork or undo this run" size="small">
            <Ellipsis size={15} aria-hidden />
          </IconButton>
        }
        items={[
          {
            label: "Replay",
            icon: <RotateCcw size={14} aria-hidden />,
            onSelect: () => setOpen("replay"),
            disabledReason: notEnded,
          },
          {
            label: "Fork from its end…",
            icon: <GitFork size={14} aria-hidden />,
            onSelect: () => setOpen("fork"),
            disabledReason: notEnded,
          },
          {
            label: "Undo its changes…",
            icon: <Undo2 size={14} aria-hidden />,
            onSelect: () => setOpen("undo"),
            disabledReason: run.workbenchId === null ? "A prompt changes no files." : notEnded,
          },
        ]}
      />
      {open === "replay" && <ReplayDialog run={run} onClose={close} />}
      {open === "fork" && <ForkDialog run={run} seq={undefined} onClose={close} />}
      {open === "undo" && <UndoDialog run={run} after={undefined} onClose={close} />}
    </>
  );
}

/** The same from one event on, where the cursor is. */
export function EventActions(props: { readonly run: Run; readonly seq: number; readonly ended: boolean }) {
  const { run, seq, ended } = props;
  const [open, setOpen] = useState<"fork" | "undo">();
  const close = () => setOpen(undefined);
  const mayDrive = useMay("runs:write");
  if (!mayDrive || !asksModels(run)) return null;
  const notEnded = ended ? undefined : "The run is still going.";
  return (
    <footer className="flex shrink-0 flex-wrap items-center gap-1 border-t border-line px-2 py-1.5">
      <Button
        size="small"
        tone="quiet"
        icon={<GitFork size={13} aria-hidden />}
        disabledReason={notEnded}
        onClick={() => setOpen("fork")}
      >
        Fork from here
      </Button>
      {run.workbenchId !== null && (
        <Button
          size="small"
          tone="quiet"
          icon={<Undo2 size={13} aria-hidden />}
          disabledReason={notEnded}
          onClick={() => setOpen("undo")}
        >
          Undo after this
        </Button>
      )}
      {open === "fork" && <ForkDialog run={run} seq={seq} onClose={close} />}
      {open === "undo" && <UndoDialog run={run} after={seq} onClose={close} />}
    </footer>
  );
}

function ReplayDialog(props: { readonly run: Run; readonly onClose: () => void }) {
  const { run } = props;
  const [report, setReport] = useState<Report>();
  const { busy, failure, attempt } = useAttempt();
  const replay = () => attempt(async () => setReport((await client.call("runs.replay", { runId: run.runId })).report));
  return (
    <Dialog
      open
      onClose={props.onClose}
      title="Replay this run"
      description="Benchtop drives it again from its journal. No model is asked, no tool executed, nothing written; every request, call and decision has to be what is recorded."
      footer={
        <>
          <Button onClick={props.onClose}>Close</Button>
          {report === undefined && (
            <Button tone="primary" busy={busy} autoFocus onClick={() => void replay()}>
              Replay
            </Button>
          )}
        </>
      }
    >
      {report?.outcome === "identical" && (
        <p role="status" className="rounded-lg border border-good-line bg-good-soft px-3 py-2.5">
          <span className="font-medium text-good">Identical.</span> {formatCount(report.events, "event")} passed as
          recorded.
        </p>
      )}
      {report?.divergence !== undefined && (
        <div role="status" className="rounded-lg border border-draft-line bg-draft-soft px-3 py-2.5">
          <p className="font-medium text-draft">First difference at event {report.divergence.seq}</p>
          <p className="break-words">{report.divergence.message}</p>
          <dl className="tabular mt-1.5 grid grid-cols-[auto_1fr] gap-x-4 text-sm">
            <dt className="text-muted">field</dt>
            <dd className="font-mono text-xs leading-5">{report.divergence.field}</dd>
            {report.divergence.expected !== "" && (
              <>
                <dt className="text-muted">recorded</dt>
                <dd className="font-mono text-xs leading-5 break-all">{report.divergence.expected}</dd>
                <dt className="text-muted">now</dt>
                <dd className="font-mono text-xs leading-5 break-all">{report.divergence.actual}</dd>
              </>
            )}
          </dl>
        </div>
      )}
      {failure !== undefined && <ErrorNotice failure={failure} handlers={{ retry: replay }} />}
    </Dialog>
  );
}

function ForkDialog(props: { readonly run: Run; readonly seq: number | undefined; readonly onClose: () => void }) {
  const { run, seq } = props;
  const navigate = useNavigate();
  const [hint, setHint] = useState("");
  const [input, setInput] = useState("");
  const [picking, setPicking] = useState(false);
  const [model, setModel] = useState(`${run.providerId}/${run.modelId}`);
  const { busy, failure, attempt } = useAttempt();
  const fields = { hint: useId(), input: useId() };
  const scopeHash = failure?.detail?.["scopeHash"];
  const fork = (consent?: "once") =>
    attempt(async () => {
      const { runId } = await client.call("runs.fork", {
        runId: run.runId,
        model,
        ...(seq !== undefined && { seq }),
        ...(hint.trim() !== "" && { hint: hint.trim() }),
        ...(input.trim() !== "" && { input: input.trim() }),
        ...(consent && { consent: { mode: consent, ...(typeof scopeHash === "string" && { scopeHash }) } }),
      });
      await queryClient.invalidateQueries({ queryKey: ["runs.list"] });
      await navigate({ to: "/runs/$runId", params: { runId } });
    });
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={seq === undefined ? "Fork from its end" : `Fork from event ${seq}`}
      description="A new run that begins with what this one did up to there, without doing or paying for it again, and then goes on live."
      footer={
        <>
          <Button onClick={props.onClose}>Cancel</Button>
          <Button tone="primary" busy={busy} icon={<GitFork size={13} aria-hidden />} onClick={() => void fork()}>
            Fork
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3">
        <div>
          <label htmlFor={fields.hint} className="mb-1 block text-sm font-medium text-muted">
            Tell it something (optional)
          </label>
          <textarea
            id={fields.hint}
            className="field min-h-16"
            value={hint}
            onChange={(event) => setHint(event.target.value)}
            placeholder="Use euros, not dollars"
          />
        </div>
        <div>
          <label htmlFor={fields.input} className="mb-1 block text-sm font-medium text-muted">
            Ask something else in place of the task (optional)
          </label>
          <textarea
            id={fields.input}
            className="field min-h-16"
            value={input}
            onChange={(event) => setInput(event.target.value)}
            placeholder={run.title}
          />
        </div>
        <div>
          <p className="mb-1 text-sm font-medium text-muted">Model</p>
          <ModelPicker value={model} onChange={setModel} open={picking} onOpenChange={setPicking} />
        </div>
        {run.workbenchId !== null && (
          <p className="text-sm text-muted">
            It works on the Draft as it is now. To go back to how the files were, undo this run’s changes first.
          </p>
        )}
        {failure !== undefined && (
          <ErrorNotice
            failure={failure}
            handlers={{
              retry: () => fork(),
              ...(failure.error_code === "EGRESS_CONSENT_REQUIRED" && { grant_consent: () => fork("once") }),
            }}
          />
        )}
      </div>
    </Dialog>
  );
}

function UndoDialog(props: { readonly run: Run; readonly after: number | undefined; readonly onClose: () => void }) {
  const { run, after } = props;
  const navigate = useNavigate();
  const { busy, failure, attempt } = useAttempt();
  const undo = () =>
    attempt(async () => {
      const { runId } = await client.call("runs.undo", { runId: run.runId, ...(after !== undefined && { after }) });
      if (run.workbenchId !== null) await refreshWorkbench(run.workbenchId);
      await navigate({ to: "/runs/$runId", params: { runId } });
    });
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={after === undefined ? "Undo this run’s changes?" : `Undo what it did after event ${after}?`}
      description="Its changes to the Draft are taken back, the newest first. Published files and the journal stay as they are. A file that was changed again since is left alone, and the undo stops there."
      footer={
        <>
          <Button onClick={props.onClose}>Keep them</Button>
          <Button tone="danger" busy={busy} icon={<Undo2 size={13} aria-hidden />} onClick={() => void undo()}>
            Undo
          </Button>
        </>
      }
    >
      {failure !== undefined && <ErrorNotice failure={failure} handlers={{ retry: undo }} />}
    </Dialog>
  );
}
