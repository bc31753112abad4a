import type { Run } from "@benchtop/operations";
import { Link, useNavigate } from "@tanstack/react-router";
import { Download, Play, SkipForward } from "lucide-react";
import { client } from "../api/client.ts";
import { queryClient } from "../api/queries.ts";
import { saveBlob } from "../api/save.ts";
import { Button } from "../components/button.tsx";
import { formatValue } from "../components/chart-scale.ts";
import { CopyId } from "../components/copy-text.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatBytes, formatCount, formatNumber } from "../components/format.ts";
import { useAttempt } from "../components/use-attempt.ts";
import { useMay } from "../identity/identity.ts";
import { factsOf, numberIn, textIn, type Job } from "./read-job.ts";

/** What came of it, or what stands in the way. */
export function JobOutcome(props: { readonly run: Run; readonly job: Job }) {
  const { run, job } = props;
  const { failure } = job;
  if (failure !== undefined) return <Failed run={run} failure={failure} />;
  if (job.output === undefined) return null;
  return <Made run={run} job={job} output={job.output} />;
}

function Failed(props: { readonly run: Run; readonly failure: NonNullable<Job["failure"]> }) {
  const { run, failure } = props;
  const navigate = useNavigate();
  const mayChange = useMay("models:write");
  const { busy, failure: refused, attempt } = useAttempt();
  const stopped = failure.error_code === "USER_CANCELED";
  const goOn = () =>
    attempt(async () => {
      const { runId } = await client.call("localModels.resumeTraining", { runId: run.runId });
      await queryClient.invalidateQueries({ queryKey: ["runs.list"] });
      await navigate({ to: "/models/jobs/$runId", params: { runId } });
    });
  const button = run.kind === "train" && mayChange && (
    <Button size="small" busy={busy} icon={<SkipForward size={12} aria-hidden />} onClick={() => void goOn()}>
      Go on from its checkpoint
    </Button>
  );
  return (
    <>
      {stopped ? (
        <div className="flex flex-wrap items-center gap-3 rounded-lg border border-line bg-raised px-3.5 py-3 shadow-raised">
          <p className="min-w-0 flex-1">
            <span className="font-medium">Stopped.</span>{" "}
            <span className="text-muted">Nothing was installed. {failure.message}</span>
          </p>
          {button}
        </div>
      ) : (
        <ErrorNotice title={run.kind === "train" ? "Nothing was trained" : "No copy was made"} failure={failure}>
          {button !== false && <div className="mt-2">{button}</div>}
        </ErrorNotice>
      )}
      {refused !== undefined && <ErrorNotice failure={refused} />}
    </>
  );
}

function Made(props: { readonly run: Run; readonly job: Job; readonly output: string }) {
  const { run, job, output } = props;
  const name = textIn(job.result, "name");
  const bytes = numberIn(job.result, "bytes");
  const isAdapter = textIn(factsOf(job.input["plan"]), "method") === "lora";
  const manifest = job.artifacts.find((artifact) => artifact.name === "manifest.json");
  const saving = useAttempt();
  const save = () =>
    saving.attempt(async () => {
      if (manifest === undefined) return;
      const file = await client.downloadFrom("runs.artifact", {
        runId: run.runId,
        artifactId: manifest.artifactId,
      });
      saveBlob(new Blob([await file.arrayBuffer()], { type: "application/json" }), `${name ?? "model"}-manifest.json`);
    });
  const sha256 = textIn(factsOf(job.result["output"]), "sha256") ?? textIn(job.result, "sha256");
  return (
    <section aria-label="Result" className="rounded-lg border border-good-line bg-good-soft px-4 py-3">
      <div className="flex flex-wrap items-start gap-x-4 gap-y-3">
        <div className="min-w-60 flex-1">
          <p className="font-medium">{firstSentence(output)}</p>
          <p className="tabular mt-0.5 flex flex-wrap gap-x-4 text-sm text-muted">
            {bytes !== undefined && <span>{formatBytes(bytes)}</span>}
            {name !== undefined && <span>asked as benchtop/{name}</span>}
            {sha256 !== undefined && <CopyId id={sha256} label="sha256" />}
          </p>
        </div>
        <div className="flex flex-wrap gap-2">
          {manifest !== undefined && (
            <Button
              size="small"
              busy={saving.busy}
              icon={<Download size={13} aria-hidden />}
              onClick={() => void save()}
            >
              Manifest
            </Button>
          )}
          {name !== undefined && !isAdapter && (
            <Link
              to="/models/playground"
              search={{ models: [`benchtop/${name}`] }}
              className="inline-flex h-6.5 items-center gap-1.5 rounded-md bg-accent px-2 text-sm font-medium text-on-accent shadow-raised hover:bg-accent-hover"
            >
              <Play size={11} aria-hidden fill="currentColor" /> Try it
            </Link>
          )}
          {name !== undefined && isAdapter && (
            <Link
              to="/models"
              search={{ load: name }}
              className="inline-flex h-6.5 items-center gap-1.5 rounded-md bg-accent px-2 text-sm font-medium text-on-accent shadow-raised hover:bg-accent-hover"
            >
              Load a model with it
            </Link>
          )}
        </div>
      </div>
      <Measured job={job} />
      {saving.failure !== undefined && <ErrorNotice failure={saving.failure} />}
    </section>
  );
}

/** How far a copy is from its source, where a text was read; how well a training learnt. */
function Measured({ job }: { readonly job: Job }) {
  const copy = job.values.get("perplexity");
  const source = job.values.get("perplexity of the source");
  const same = job.values.get("same next token");
  const divergence = job.curves.get("KL divergence")?.at(-1)?.y;
  const fallbacks = job.result["fallbacks"];
  const kept = Array.isArray(fallbacks) ? fallbacks.length : 0;
  const loss = numberIn(job.result, "loss");
  const evaluationLoss = numberIn(job.result, "evaluationLoss");
  const steps = numberIn(job.result, "steps");
  const written = numberIn(job.result, "writtenStep");
  const numbers: readonly (readonly [string, string, string])[] = [
    ...(loss === undefined ? [] : ([["Loss", formatValue(loss), "of the last step"]] as const)),
    ...(evaluationLoss === undefined
      ? []
      : ([["Evaluation loss", formatValue(evaluationLoss), "of the weights that were kept"]] as const)),
    ...(steps === undefined
      ? []
      : ([
          [
            "Steps",
            formatNumber(steps),
            written === undefined ? "" : `kept: those after step ${formatNumber(written)}`,
          ],
        ] as const)),
    ...(copy !== undefined && source !== undefined
      ? ([["Perplexity", formatValue(copy), `the source’s ${formatValue(source)}`]] as const)
      : []),
    ...(divergence === undefined
      ? []
      : ([["KL divergence", formatValue(divergence), "nats a token; 0 is the same model"]] as const)),
    ...(same === undefined
      ? []
      : ([["Same next token", `${(100 * same).toFixed(1)} %`, "of places in the text"]] as const)),
  ];
  return (
    <>
      {numbers.length > 0 && (
        <dl className="tabular mt-3 flex flex-wrap gap-x-8 gap-y-2 border-t border-good-line pt-3">
          {numbers.map(([name, value, note]) => (
            <div key={name}>
              <dt className="text-sm text-muted">{name}</dt>
              <dd className="text-lg font-semibold">{value}</dd>
              <dd className="text-sm text-muted">{note}</dd>
            </div>
          ))}
        </dl>
      )}
      {kept > 0 && (
        <p className="mt-2 text-sm text-muted">
          {formatCount(kept, "matrix", "matrices")} got other weights, because their rows do not fit: the manifest names
          them.
        </p>
      )}
    </>
  );
}

/** The numbers that the others hold stand below, each with its name. */
function firstSentence(text: string): string {
  return text.split(/(?<=\.)\s/, 1)[0] ?? text;
}
