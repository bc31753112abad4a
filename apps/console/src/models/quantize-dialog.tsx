import { quantizations, type LocalModel, type Quantization } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";
import { client, failureOf } from "../api/client.ts";
import { queryClient } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Checkbox } from "../components/checkbox.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { TextField } from "../components/field.tsx";
import { formatBytes, formatNumber } from "../components/format.ts";
import { Select } from "../components/select.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useAttempt } from "../components/use-attempt.ts";
import { bitsPerWeight, whyNotQuantized } from "./model-words.ts";
import { installedModels } from "./queries.ts";
import { TextSource } from "./text-source.tsx";

/** Bytes of text beyond which the daemon takes no more. */
const longestText = 2_000_000;

/** A smaller copy of a model, as a job. `name`: empty where it is chosen here. */
export function QuantizeDialog(props: { readonly name: string; readonly onClose: () => void }) {
  const models = useQuery(installedModels);
  const sources = (models.data?.items ?? []).filter((model) => whyNotQuantized(model) === undefined);
  if (models.data === undefined || sources.length === 0) {
    return (
      <Dialog open onClose={props.onClose} title="Quantize a model">
        {models.isPending && <SkeletonRows count={3} label="Loading models" />}
        {models.isError && (
          <ErrorNotice
            failure={failureOf(models.error)}
            handlers={{ retry: async () => void (await models.refetch()) }}
          />
        )}
        {models.data !== undefined && (
          <p className="text-muted">No installed model has weights of F32, F16 or BF16. Install one of these first.</p>
        )}
      </Dialog>
    );
  }
  return <QuantizeForm sources={sources} name={props.name} onClose={props.onClose} />;
}

function QuantizeForm(props: {
  readonly sources: readonly LocalModel[];
  readonly name: string;
  readonly onClose: () => void;
}) {
  const { sources } = props;
  const navigate = useNavigate();
  const [name, setName] = useState(
    sources.some((source) => source.name === props.name) ? props.name : (sources[0]?.name ?? ""),
  );
  const [quantization, setQuantization] = useState<Quantization>("Q4_K_M");
  const [as, setAs] = useState("");
  const [text, setText] = useState("");
  const [importance, setImportance] = useState(false);
  const { busy, failure, attempt } = useAttempt();
  const model = sources.find((source) => source.name === name);
  const usual = `${name}-${quantization.toLowerCase().replaceAll("_", "-")}`;
  const tooLong =
    text.length > longestText
      ? `${formatNumber(text.length)} characters; ${formatNumber(longestText)} at most.`
      : undefined;
  const start = () =>
    attempt(async () => {
      const { runId } = await client.call("localModels.quantize", {
        name,
        quantization,
        importance: importance && text.trim() !== "",
        ...(as.trim() !== "" && { as: as.trim() }),
        ...(text.trim() !== "" && { text }),
      });
      await queryClient.invalidateQueries({ queryKey: ["runs.list"] });
      await navigate({ to: "/models/jobs/$runId", params: { runId } });
    });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!busy && tooLong === undefined) void start();
  };
  return (
    <Dialog
      open
      wide
      onClose={props.onClose}
      title={props.name === "" ? "Quantize a model" : `Quantize ${props.name}`}
      description="A smaller copy with coarser weights, beside the model that stays as it is. The same source gives the same bytes."
      footer={
        <>
          <Button onClick={props.onClose}>Cancel</Button>
          <Button tone="primary" type="submit" form="quantize" busy={busy} disabledReason={tooLong}>
            Quantize
          </Button>
        </>
      }
    >
      <form id="quantize" onSubmit={submit} className="flex flex-col gap-3.5">
        <div className="grid gap-3.5 sm:grid-cols-2">
          {props.name === "" && (
            <div className="sm:col-span-2">
              <p className="mb-1 text-sm font-medium text-muted">Model</p>
              <Select
                label="Model"
                value={name}
                onChange={setName}
                className="h-8! w-full"
                options={sources.map((source) => ({
                  value: source.name,
                  label: source.name,
                  note: `${source.quantization}, ${formatBytes(source.bytes)}`,
                }))}
              />
            </div>
          )}
          <div>
            <p className="mb-1 text-sm font-medium text-muted">Weights</p>
            <Select
              label="Weights"
              value={quantization}
              onChange={(value) => setQuantization(quantizations.find((each) => each === value) ?? "Q4_K_M")}
              className="h-8! w-full"
              options={quantizations.map((value) => ({ value, label: value, note: notes[value] }))}
            />
            <p className="tabular mt-1 text-sm text-faint">
              {model !== undefined && (
                <>
                  about {formatBytes((model.parameters * bitsPerWeight[quantization]) / 8)}, from{" "}
                  {formatBytes(model.bytes)} ({model.quantization})
                </>
              )}
            </p>
          </div>
          <TextField
            label="Name of the copy"
            autoComplete="off"
            spellCheck={false}
            placeholder={usual}
            value={as}
            onChange={(event) => setAs(event.target.value)}
            maxLength={100}
          />
        </div>
        <TextSource
          label="A text to measure by (optional)"
          value={text}
          onChange={setText}
          accept="text/*,.md,.txt"
          placeholder="Some pages of what the model is used for."
          error={tooLong}
          hint="Both models read it, and the job says how much worse the copy expects what comes next."
        />
        <Checkbox
          label="Weigh what matters (importance matrix)"
          note={
            text.trim() === ""
              ? "Needs the text above."
              : "Keeps those parts of the matrices finer that the text uses most."
          }
          checked={importance && text.trim() !== ""}
          onChange={(checked) => text.trim() !== "" && setImportance(checked)}
        />
        {failure !== undefined && <ErrorNotice failure={failure} handlers={{ retry: start }} />}
      </form>
    </Dialog>
  );
}

const notes: Readonly<Record<Quantization, string>> = {
  F16: "half precision",
  BF16: "half precision, wider range",
  Q8_0: "hardly a difference",
  Q6_K: "very close",
  Q5_K_M: "close",
  Q4_K_M: "the usual choice",
  Q4_0: "smallest, for fast CPUs",
};
