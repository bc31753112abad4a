import type { InputOf, LocalModel, Operations, TrainingPlan } from "@benchtop/operations";
import { Collapsible } from "@base-ui/react/collapsible";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { ChevronRight } from "lucide-react";
import { useMemo, useState, type FormEvent } from "react";
import { client } from "../api/client.ts";
import { queryClient } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { TextField } from "../components/field.tsx";
import { formatBytes, formatCount, formatNumber } from "../components/format.ts";
import { RadioCards } from "../components/radio-cards.tsx";
import { Segmented } from "../components/segmented.tsx";
import { Select } from "../components/select.tsx";
import { useAttempt } from "../components/use-attempt.ts";
import { checkExamples } from "./examples.ts";
import { formatParameters, whyNotTrained } from "./model-words.ts";
import { modelSizes, parametersOf } from "./model-sizes.ts";
import { installedModels } from "./queries.ts";
import { TextSource } from "./text-source.tsx";

const anew = "";
/** Characters beyond which the daemon takes no more examples. */
const longestExamples = 20_000_000;

/** What can be said of a training under “More”; what is left empty is chosen by the size of the data. */
const settings = [
  { name: "learningRate", label: "Learning rate", hint: "0.002 unless told", least: 0, whole: false },
  { name: "batchTokens", label: "Tokens of a step", hint: "about 2,048", least: 16, whole: true },
  { name: "contextTokens", label: "Longest example (tokens)", hint: "as needed, 512 at most", least: 16, whole: true },
  {
    name: "evaluationShare",
    label: "Share kept to measure",
    hint: "0 to 0.5; none unless told",
    least: 0,
    whole: false,
  },
  { name: "patience", label: "Ends after so many worse measures", hint: "never, unless told", least: 0, whole: true },
  { name: "seed", label: "Seed", hint: "the same gives the same", least: 0, whole: true },
] as const;
const adapterSettings = [
  { name: "rank", label: "Rank", hint: "8 unless told", least: 1, whole: true },
  { name: "alpha", label: "Alpha", hint: "twice the rank", least: 0, whole: false },
] as const;
type Setting = (typeof settings)[number] | (typeof adapterSettings)[number];

/** A small model from examples, or an adapter for one that is there, as a job. */
export function TrainDialog(props: { readonly base: string | undefined; readonly onClose: () => void }) {
  const navigate = useNavigate();
  const models = useQuery(installedModels).data?.items ?? [];
  const bases = models.filter((model) => whyNotTrained(model) === undefined);
  const [name, setName] = useState("");
  const [examples, setExamples] = useState("");
  const [evaluation, setEvaluation] = useState("");
  const [base, setBase] = useState(props.base ?? anew);
  const [method, setMethod] = useState<"lora" | "full">("lora");
  const [size, setSize] = useState<keyof typeof modelSizes>("small");
  const [length, setLength] = useState<"data" | "steps" | "epochs">("data");
  const [count, setCount] = useState("");
  const [values, setValues] = useState<Readonly<Record<string, string>>>({});
  const { busy, failure, attempt } = useAttempt();
  const check = useMemo(() => checkExamples(examples), [examples]);
  const evaluationCheck = useMemo(() => checkExamples(evaluation), [evaluation]);
  const chosen = models.find((model) => model.name === base);
  const unfit = base === anew || chosen === undefined ? undefined : whyNotTrained(chosen);
  const isAdapter = base !== anew && method === "lora";
  const shown: readonly Setting[] = isAdapter ? [...settings, ...adapterSettings] : settings;
  const wrong = shown.find((setting) => problemOf(setting, values[setting.name] ?? "") !== undefined);
  const wrongCount = length !== "data" && !(Number.isInteger(Number(count)) && Number(count) >= 1);
  const gate =
    name.trim() === ""
      ? "Give it a name first."
      : check.count === 0
        ? "Give it examples to learn from."
        : examples.length > longestExamples
          ? `${formatNumber(examples.length)} characters of examples; ${formatNumber(longestExamples)} at most.`
          : (check.problem ??
            (evaluation.trim() === "" ? undefined : evaluationCheck.problem) ??
            unfit ??
            (wrongCount ? `Say how many ${length}.` : undefined) ??
            (wrong === undefined ? undefined : `“${wrong.label}” cannot be read.`));
  const start = () =>
    attempt(async () => {
      const plan: TrainingPlan = {
        method: isAdapter ? "lora" : "full",
        ...(base === anew ? { size: modelSizes[size] } : { base }),
        ...(length !== "data" && { [length]: Number(count) }),
        ...Object.fromEntries(
          shown.flatMap((setting) => {
            const text = (values[setting.name] ?? "").trim();
            return text === "" ? [] : [[setting.name, Number(text)]];
          }),
        ),
      };
      const input: InputOf<Operations["localModels.train"]> = {
        name: name.trim(),
        plan,
        examples,
        ...(evaluation.trim() !== "" && { evaluation }),
      };
      const { runId } = await client.call("localModels.train", input);
      await queryClient.invalidateQueries({ queryKey: ["runs.list"] });
      await navigate({ to: "/models/jobs/$runId", params: { runId } });
    });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!busy && gate === undefined) void start();
  };
  return (
    <Dialog
      open
      wide
      onClose={props.onClose}
      title="Train a model"
      description="On this machine’s processor: for models of up to some ten million parameters. What it learns from stays here."
      footer={
        <>
          <Button onClick={props.onClose}>Cancel</Button>
          <Button tone="primary" type="submit" form="train-model" busy={busy} disabledReason={gate}>
            Train
          </Button>
        </>
      }
    >
      <form id="train-model" onSubmit={submit} className="flex flex-col gap-3.5">
        <TextField
          label="Name"
          autoFocus
          autoComplete="off"
          spellCheck={false}
          value={name}
          onChange={(event) => setName(event.target.value)}
          pattern="[a-z0-9](?:[a-z0-9._\-]{0,98}[a-z0-9])?"
          title="Lower-case letters, digits, dots, dashes and underscores"
          maxLength={100}
          placeholder="ticket-kinds"
        />
        <TextSource
          label="Examples"
          value={examples}
          onChange={setExamples}
          accept=".jsonl,.ndjson,.json,.txt"
          placeholder={
            '{"prompt": "Where is my invoice?", "completion": "billing"}\n{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}\n{"text": "Something to go on writing like."}'
          }
          error={check.problem}
          hint={
            check.count === 0
              ? "One JSON object a line, in any of these three forms."
              : `${formatCount(check.count, "example")}.`
          }
        />
        <div>
          <p className="mb-1 text-sm font-medium text-muted">Begins with</p>
          <Select
            label="Begins with"
            value={base}
            onChange={setBase}
            className="h-8! w-full"
            options={[
              { value: anew, label: "Nothing: a new model with a vocabulary of its own" },
              ...(chosen !== undefined && unfit !== undefined ? [option(chosen)] : []),
              ...bases.map(option),
            ]}
          />
          {unfit !== undefined && <p className="mt-1 text-sm text-bad">{unfit}</p>}
        </div>
        {base === anew ? (
          <RadioCards
            label="Size"
            value={size}
            onChange={setSize}
            options={[
              {
                value: "small",
                label: `Small: about ${formatParameters(parametersOf(modelSizes.small))} parameters`,
                note: "Some hundred short answers, in minutes.",
              },
              {
                value: "medium",
                label: `Medium: about ${formatParameters(parametersOf(modelSizes.medium))} parameters`,
                note: "Some thousand answers, in an hour or more.",
              },
            ]}
          />
        ) : (
          <RadioCards
            label="What is trained"
            value={method}
            onChange={setMethod}
            options={[
              {
                value: "lora",
                label: "An adapter beside it (LoRA)",
                note: "The model stays as it is; the adapter is small and is loaded with it.",
              },
              { value: "full", label: "Every weight", note: "A model of its own, as large as the one it begins with." },
            ]}
          />
        )}
        <div>
          <p className="mb-1 text-sm font-medium text-muted">How long</p>
          <div className="flex flex-wrap items-center gap-2">
            <Segmented
              label="How long"
              value={length}
              onChange={setLength}
              options={[
                { value: "data", label: "As the data need" },
                { value: "epochs", label: "Runs through them" },
                { value: "steps", label: "Steps" },
              ]}
            />
            {length !== "data" && (
              <input
                className="field h-7! w-28!"
                inputMode="numeric"
                aria-label={length === "steps" ? "Steps" : "Runs through the examples"}
                placeholder={length === "steps" ? "500" : "10"}
                value={count}
                onChange={(event) => setCount(event.target.value)}
              />
            )}
          </div>
        </div>
        <Collapsible.Root className="group/more">
          <Collapsible.Trigger className="flex items-center gap-1 rounded-sm text-sm font-medium text-muted hover:text-ink">
            <ChevronRight size={13} aria-hidden className="group-data-open/more:rotate-90" /> More
          </Collapsible.Trigger>
          <Collapsible.Panel className="mt-2 flex flex-col gap-3.5">
            <div className="grid gap-3.5 sm:grid-cols-3">
              {shown.map((setting) => (
                <TextField
                  key={setting.name}
                  label={setting.label}
                  inputMode="decimal"
                  autoComplete="off"
                  placeholder={setting.hint}
                  value={values[setting.name] ?? ""}
                  onChange={(event) => setValues((before) => ({ ...before, [setting.name]: event.target.value }))}
                  error={problemOf(setting, values[setting.name] ?? "")}
                />
              ))}
            </div>
            <TextSource
              label="Examples to measure by (optional)"
              value={evaluation}
              onChange={setEvaluation}
              accept=".jsonl,.ndjson,.json,.txt"
              placeholder="Of the same forms. They are never learnt from."
              error={evaluation.trim() === "" ? undefined : evaluationCheck.problem}
              hint={evaluation.trim() === "" ? undefined : `${formatCount(evaluationCheck.count, "example")}.`}
            />
          </Collapsible.Panel>
        </Collapsible.Root>
        {failure !== undefined && <ErrorNotice failure={failure} handlers={{ retry: start }} />}
      </form>
    </Dialog>
  );
}

function option(model: LocalModel) {
  return {
    value: model.name,
    label: model.name,
    note: `${formatParameters(model.parameters)}, ${model.quantization}, ${formatBytes(model.bytes)}`,
  };
}

function problemOf({ least, whole }: Setting, text: string): string | undefined {
  if (text.trim() === "") return undefined;
  const value = Number(text);
  if (!Number.isFinite(value) || value < least) return `A number, ${least} at least.`;
  return whole && !Number.isInteger(value) ? "A whole number." : undefined;
}
