import type { OutputOf, Operations } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useId, useState } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { query, queryClient } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { TextField } from "../components/field.tsx";
import { formatCount } from "../components/format.ts";

/** Runs the same suite once more: with these models or with others, with what was answered before or anew. */
export function RunAgainDialog(props: {
  readonly evaluation: OutputOf<Operations["evals.get"]>;
  readonly onClose: () => void;
}) {
  const { evaluation } = props;
  const navigate = useNavigate();
  const [models, setModels] = useState(evaluation.models.join(", "));
  const [anew, setAnew] = useState(false);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const anewId = useId();
  const chosen = models.split(/[\s,]+/).filter((model) => model !== "");
  const graders = evaluation.suite.evaluators.flatMap((spec) => (spec.type === "model-graded" ? [spec.model] : []));
  const providers = useQuery(query("providers.list", {})).data?.items ?? [];
  const asked = new Set([...chosen, ...graders].map((model) => model.split("/")[0]));
  const far = providers.filter(({ name, local }) => asked.has(name) && !local);

  const start = async () => {
    setBusy(true);
    setFailure(undefined);
    try {
      const { runId } = await client.call("evals.run", {
        from: evaluation.runId,
        models: chosen,
        cache: !anew,
        ...(far.length > 0 && { consent: { mode: "once" as const } }),
      });
      await queryClient.invalidateQueries({ queryKey: ["evals.list"] });
      props.onClose();
      await navigate({ to: "/evals/$runId", params: { runId } });
    } catch (thrown) {
      setFailure(failureOf(thrown));
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={`Run “${evaluation.name}” again`}
      description={`${formatCount(evaluation.cases, "case")}, asked ${evaluation.repeat === 1 ? "once" : `${evaluation.repeat} times`} of each model.`}
      footer={
        <>
          <Button onClick={props.onClose} className="sm:mr-auto">
            Cancel
          </Button>
          <Button
            tone="primary"
            busy={busy}
            disabledReason={chosen.length === 0 ? "Name a model." : undefined}
            onClick={() => void start()}
          >
            {far.length > 0 ? "Allow once and run" : "Run"}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3">
        <TextField
          label="Models"
          value={models}
          onChange={(event) => setModels(event.target.value)}
          hint="PROVIDER/MODEL; several are compared side by side."
          spellCheck={false}
        />
        <label htmlFor={anewId} className="flex items-start gap-2">
          <input
            id={anewId}
            type="checkbox"
            checked={anew}
            onChange={(event) => setAnew(event.target.checked)}
            className="mt-0.75 size-3.5 accent-(--accent)"
          />
          <span>
            Ask everything again
            <span className="block text-sm text-muted">
              Otherwise what was answered before is taken from there and costs nothing.
            </span>
          </span>
        </label>
        {far.length > 0 && (
          <p className="rounded-md border border-line bg-sunken px-3 py-2 text-sm">
            This sends the cases to {far.map(({ baseUrl }) => new URL(baseUrl).host).join(", ")}, for this run.
          </p>
        )}
        {failure !== undefined && <ErrorNotice failure={failure} />}
      </div>
    </Dialog>
  );
}
