import { useQuery } from "@tanstack/react-query";
import { Collapsible } from "@base-ui/react/collapsible";
import { getRouteApi } from "@tanstack/react-router";
import { ArrowUp, ChevronRight, Globe, Plus } from "lucide-react";
import { useId, useRef, useState, type FormEvent } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { modelList, query, queryClient } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { classes } from "../components/classes.ts";
import { ErrorNotice } from "../components/error-notice.tsx";
import { commandKey, KeyCap } from "../components/key-cap.tsx";
import { Screen } from "../components/screen.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useDenied } from "../identity/identity.ts";
import { mostCompared } from "../search.ts";
import { ModelsBar } from "./models-bar.tsx";
import { guideRef } from "./guide.ts";
import { PlaygroundColumn, type Asked } from "./playground-column.tsx";
import { SamplingFields, samplingOf, type SamplingTexts } from "./sampling-fields.tsx";

const route = getRouteApi("/models/playground");
const grids = ["", "", "md:grid-cols-2", "md:grid-cols-2 xl:grid-cols-3"];

/** One prompt, and what up to three models say to it, side by side. */
export function PlaygroundScreen() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const list = useQuery(modelList);
  const providers = useQuery(query("providers.list", {})).data?.items ?? [];
  const mayNotRun = useDenied("runs:write");
  const [prompt, setPrompt] = useState("");
  const [instructions, setInstructions] = useState("");
  const [texts, setTexts] = useState<SamplingTexts>({});
  const [asked, setAsked] = useState<readonly (Asked | undefined)[]>([]);
  const [going, setGoing] = useState<ReadonlySet<string>>(new Set());
  const [starting, setStarting] = useState(false);
  /** Columns that wait for a person's word, because their models are elsewhere. */
  const [unsent, setUnsent] = useState<readonly number[]>();
  const promptField = useRef<HTMLTextAreaElement>(null);
  const ids = { prompt: useId(), instructions: useId() };
  const known = list.data?.items ?? [];
  const fallback = (known.find(({ ref }) => ref !== guideRef) ?? known[0])?.ref;
  const models = search.models ?? (fallback === undefined ? [] : [fallback]);
  const show = (next: readonly string[]) => void navigate({ search: { models: next }, replace: true });
  const sampling = samplingOf(texts);
  const hostOf = (model: string): string | undefined => {
    const provider = providers.find(({ name }) => model.startsWith(`${name}/`));
    if (provider === undefined || provider.local) return undefined;
    return URL.canParse(provider.baseUrl) ? new URL(provider.baseUrl).host : provider.name;
  };

  const start = async (columns: readonly number[], consented: boolean) => {
    setStarting(true);
    setUnsent(undefined);
    await Promise.all(
      columns.map(async (column) => {
        const model = models[column];
        if (model === undefined || sampling === null) return;
        const take = (result: Pick<Asked, "runId" | "failure">) =>
          setAsked((before) => models.map((_, index) => (index === column ? { model, ...result } : before[index])));
        try {
          const { runId } = await client.call("runs.start", {
            model,
            prompt: prompt.trim(),
            sampling,
            ...(instructions.trim() !== "" && { instructions: instructions.trim() }),
            ...(consented && hostOf(model) !== undefined && { consent: { mode: "once" as const } }),
          });
          setGoing((before) => new Set(before).add(runId));
          take({ runId, failure: undefined });
        } catch (thrown) {
          take({ runId: undefined, failure: failureOf(thrown) });
        }
      }),
    );
    setStarting(false);
    await queryClient.invalidateQueries({ queryKey: ["runs.list"] });
  };
  const ask = (columns: readonly number[]) => {
    const elsewhere = columns.filter((column) => hostOf(models[column] ?? "") !== undefined);
    if (elsewhere.length > 0) setUnsent(columns);
    else void start(columns, false);
  };
  /** Nobody sees any more what this column says: it is stopped. */
  const letGo = (column: number) => {
    const runId = asked[column]?.runId;
    setAsked((before) => before.map((each, index) => (index === column ? undefined : each)));
    if (runId !== undefined && going.has(runId)) void client.call("runs.abort", { runId, reason: "Taken away." });
  };
  const gate =
    mayNotRun ??
    (models.length === 0
      ? "Choose a model first."
      : prompt.trim() === ""
        ? "Write a prompt first."
        : sampling === null
          ? "One of the settings cannot be read."
          : asked.some((each) => each?.runId !== undefined && going.has(each.runId))
            ? "Answers are on their way. Stop them, or wait."
            : undefined);
  const askAll = () => {
    if (gate === undefined && !starting) ask(models.map((_, index) => index));
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    askAll();
  };
  const handlersOf = (column: number) => (failure: Failure) => ({
    retry: () => ask([column]),
    ...(failure.error_code === "EGRESS_CONSENT_REQUIRED" && { grant_consent: () => setUnsent([column]) }),
  });
  return (
    <Screen title="Playground" bar={<ModelsBar />}>
      <div className="mx-auto flex max-w-360 flex-col gap-4 px-4 py-4 sm:px-6 sm:py-5">
        <form
          onSubmit={submit}
          className="rounded-lg border border-line-strong bg-raised shadow-raised transition-colors duration-(--quick) focus-within:border-accent"
        >
          <label htmlFor={ids.prompt} className="sr-only">
            Prompt
          </label>
          <textarea
            ref={promptField}
            id={ids.prompt}
            autoFocus
            rows={3}
            value={prompt}
            onChange={(event) => setPrompt(event.target.value)}
            onKeyDown={(event) => {
              if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
              event.preventDefault();
              askAll();
            }}
            placeholder="What every model is asked…"
            className="block max-h-[40vh] min-h-18 w-full resize-y bg-transparent px-3.5 py-3 outline-none!"
          />
          <Collapsible.Root className="group/settings border-t border-line">
            <div className="flex flex-wrap items-center gap-2 px-2 py-1.5">
              <Collapsible.Trigger className="flex h-6.5 items-center gap-1 rounded-md px-1.5 text-sm font-medium text-muted hover:bg-hover hover:text-ink">
                <ChevronRight size={13} aria-hidden className="group-data-open/settings:rotate-90" />
                Instructions and settings
              </Collapsible.Trigger>
              <SetHere texts={texts} instructions={instructions} />
              <span className="ml-auto flex items-center gap-2.5">
                <span aria-hidden className="flex gap-0.5 max-sm:hidden">
                  <KeyCap>{commandKey}</KeyCap>
                  <KeyCap>Enter</KeyCap>
                </span>
                <Button
                  type="submit"
                  size="small"
                  tone="primary"
                  busy={starting}
                  icon={<ArrowUp size={14} aria-hidden />}
                  disabledReason={gate}
                >
                  {models.length > 1 ? `Ask all ${models.length}` : "Ask"}
                </Button>
              </span>
            </div>
            <Collapsible.Panel className="grid gap-3 px-3.5 pb-3.5 lg:grid-cols-2">
              <div>
                <label htmlFor={ids.instructions} className="mb-1 block text-sm font-medium text-muted">
                  System instructions
                </label>
                <textarea
                  id={ids.instructions}
                  className="field h-16! py-1.5"
                  value={instructions}
                  onChange={(event) => setInstructions(event.target.value)}
                  placeholder="Answer in one sentence."
                />
              </div>
              <SamplingFields texts={texts} onChange={setTexts} />
            </Collapsible.Panel>
          </Collapsible.Root>
        </form>
        {unsent !== undefined && (
          <ConsentHere
            hosts={unsent.flatMap((column) => hostOf(models[column] ?? "") ?? [])}
            onCancel={() => {
              setUnsent(undefined);
              promptField.current?.focus();
            }}
            onAllow={() => void start(unsent, true)}
          />
        )}
        {list.isPending && <SkeletonRows label="Loading models" count={3} />}
        {list.isError && search.models === undefined && (
          <ErrorNotice failure={failureOf(list.error)} handlers={{ retry: async () => void (await list.refetch()) }} />
        )}
        <div className={classes("grid gap-4", grids[Math.min(mostCompared, models.length)])}>
          {models.map((model, column) => (
            <PlaygroundColumn
              // The place, not the model: what is asked of the others stays when one is changed.
              key={column}
              model={model}
              asked={asked[column]?.model === model ? asked[column] : undefined}
              handlersOf={handlersOf(column)}
              onEnded={(runId) => setGoing((before) => new Set([...before].filter((each) => each !== runId)))}
              onModel={(next) => {
                letGo(column);
                show(models.map((each, index) => (index === column ? next : each)));
              }}
              {...(models.length > 1 && {
                onRemove: () => {
                  letGo(column);
                  setAsked((before) => models.map((_, index) => before[index]).filter((_, index) => index !== column));
                  show(models.filter((_, index) => index !== column));
                },
              })}
            />
          ))}
        </div>
        {models.length > 0 && models.length < mostCompared && (
          <div>
            <Button
              size="small"
              icon={<Plus size={13} aria-hidden />}
              onClick={() =>
                show([
                  ...models,
                  nextModel(
                    models,
                    known.map(({ ref }) => ref),
                  ),
                ])
              }
            >
              Compare with another model
            </Button>
          </div>
        )}
      </div>
    </Screen>
  );
}

/** One that is not there yet, if there is one. */
function nextModel(models: readonly string[], known: readonly string[]): string {
  return known.find((ref) => !models.includes(ref)) ?? models[0] ?? guideRef;
}

/** What is set behind the closed part, so that nobody wonders later. */
function SetHere(props: { readonly texts: SamplingTexts; readonly instructions: string }) {
  const { texts, instructions } = props;
  const said = [
    ...(instructions.trim() === "" ? [] : ["with instructions"]),
    ...(texts.temperature ? [`temperature ${texts.temperature}`] : []),
    ...(texts.topP ? [`top-p ${texts.topP}`] : []),
    ...(texts.seed ? [`seed ${texts.seed}`] : []),
    ...(texts.maxOutputTokens ? [`at most ${texts.maxOutputTokens} tokens`] : []),
  ];
  return (
    <span className="min-w-0 truncate text-sm text-faint group-data-open/settings:hidden">
      {said.length === 0 ? "each model’s own" : said.join(" · ")}
    </span>
  );
}

/** Before the prompt goes to another machine: to whom, this once. */
function ConsentHere(props: {
  readonly hosts: readonly string[];
  readonly onAllow: () => void;
  readonly onCancel: () => void;
}) {
  const hosts = [...new Set(props.hosts)].join(" and ");
  return (
    <div
      role="alertdialog"
      aria-label="Consent"
      aria-describedby="playground-consent"
      onKeyDown={(event) => event.key === "Escape" && props.onCancel()}
      className="flex flex-wrap items-center gap-3 rounded-lg border border-accent-line bg-accent-soft px-3.5 py-3"
    >
      <Globe size={16} aria-hidden className="shrink-0 text-accent-ink" />
      <p id="playground-consent" className="min-w-60 flex-1">
        <span className="font-medium">Send this prompt to {hosts === "" ? "another machine" : hosts}?</span>{" "}
        <span className="text-muted">The instructions go with it. Nothing has been sent yet, and this holds once.</span>
      </p>
      <Button onClick={props.onCancel}>Cancel</Button>
      <Button tone="primary" autoFocus onClick={props.onAllow}>
        Allow once and ask
      </Button>
    </div>
  );
}
