import type { LocalModel, RunningModel } from "@benchtop/operations";
import { Link, useNavigate } from "@tanstack/react-router";
import {
  Blocks,
  BookOpenText,
  Ellipsis,
  FileText,
  Info,
  Minimize2,
  Pin,
  PinOff,
  Play,
  Power,
  PowerOff,
  Puzzle,
  Scale,
  Trash2,
} from "lucide-react";
import { useEffect, useState, type ReactNode } from "react";
import { client } from "../api/client.ts";
import { Button, IconButton } from "../components/button.tsx";
import { classes } from "../components/classes.ts";
import { formatBytes } from "../components/format.ts";
import { Menu, type MenuItem } from "../components/menu.tsx";
import { RelativeTime } from "../components/relative-time.tsx";
import { useAttempt } from "../components/use-attempt.ts";
import { useMay } from "../identity/identity.ts";
import { FailureLine } from "./failure-line.tsx";
import { ModelState, whenItLeaves } from "./model-state.tsx";
import { aboutModel, formatContext, formatParameters, whyNotQuantized, whyNotRemoved } from "./model-words.ts";
import { refreshModels } from "./queries.ts";

interface Actions {
  readonly onDetails: (model: LocalModel) => void;
  readonly onQuantize: (model: LocalModel) => void;
  readonly onLoadWith: (model: LocalModel) => void;
  readonly onRemove: (model: LocalModel) => void;
}

const columns =
  "lg:grid lg:grid-cols-[minmax(0,1fr)_4.5rem_5rem_5rem_4.5rem_10.5rem_5.5rem_11.5rem] lg:items-center lg:gap-x-4";

export function ModelTable(
  props: Actions & { readonly models: readonly LocalModel[]; readonly running: readonly RunningModel[] },
) {
  const { models, running, ...actions } = props;
  return (
    <section>
      <h2 className="mb-2 font-semibold">Installed</h2>
      <div className="overflow-hidden rounded-lg border border-line bg-raised shadow-raised">
        <div
          aria-hidden
          className={classes(
            "hidden border-b border-line bg-surface px-3.5 py-1.5 text-xs font-medium text-faint",
            columns,
          )}
        >
          <span>Model</span>
          <span className="text-right">Parameters</span>
          <span>Weights</span>
          <span className="text-right">Size</span>
          <span className="text-right">Context</span>
          <span>State</span>
          <span>Last used</span>
          <span />
        </div>
        <ul aria-label="Installed models">
          {models.map((model) => (
            <ModelRow key={model.name} model={model} running={runningOf(model, running)} {...actions} />
          ))}
        </ul>
      </div>
    </section>
  );
}

/** Of several processes the one that says most; an adapter runs in those of its models. */
function runningOf({ name, kind }: LocalModel, running: readonly RunningModel[]): RunningModel | undefined {
  const its = running.filter((each) => each.name === name || (kind === "adapter" && each.adapters.includes(name)));
  return (["busy", "loading", "ready", "failed"] as const)
    .map((state) => its.find((each) => each.state === state))
    .find((each) => each !== undefined);
}

function ModelRow(props: Actions & { readonly model: LocalModel; readonly running: RunningModel | undefined }) {
  const { model, running } = props;
  const { busy, failure, attempt } = useAttempt();
  const failed = failure ?? (running?.state === "failed" && running.error !== null ? running.error : undefined);
  return (
    <li className="border-b border-line px-3.5 py-2.5 last:border-b-0">
      <div className={classes("tabular flex flex-wrap items-center gap-x-3 gap-y-2", columns)}>
        <Name model={model} onDetails={() => props.onDetails(model)} />
        <div className="flex w-full flex-wrap gap-x-3 lg:contents">
          <Fact label="Parameters" unit="parameters" className="lg:text-right">
            {formatParameters(model.parameters)}
          </Fact>
          <Fact label="Weights">{model.quantization}</Fact>
          <Fact label="Size" className="lg:text-right">
            {formatBytes(model.bytes)}
          </Fact>
          <Fact label="Context" unit="context" className="lg:text-right">
            {model.contextTokens === null ? "–" : formatContext(model.contextTokens)}
          </Fact>
        </div>
        <div className="flex min-w-0 flex-wrap items-center gap-x-2 max-lg:flex-1">
          <ModelState running={running} />
          {running !== undefined &&
            (model.kind === "adapter" ? (
              <span className="text-xs text-faint">with {running.name}</span>
            ) : (
              <Leaves running={running} />
            ))}
        </div>
        <span className="text-sm text-faint max-lg:hidden">
          {model.usedAt === null ? "never" : <RelativeTime at={model.usedAt} />}
        </span>
        <div className="flex items-center justify-end gap-1.5">
          <LoadButton model={model} running={running} busy={busy} attempt={attempt} onLoadWith={props.onLoadWith} />
          <RowMenu {...props} attempt={attempt} />
        </div>
      </div>
      {failed !== undefined && (
        <div className="mt-1.5">
          {typeof failed === "string" ? (
            <FailureLine code="PROVIDER_UNAVAILABLE" message={failed} />
          ) : (
            <FailureLine code={failed.error_code} message={failed.message} />
          )}
        </div>
      )}
    </li>
  );
}

function Name(props: { readonly model: LocalModel; readonly onDetails: () => void }) {
  const { model } = props;
  const Icon = model.shipped ? BookOpenText : model.kind === "adapter" ? Puzzle : model.embeds ? Scale : Blocks;
  return (
    <div className="flex min-w-0 items-center gap-2.5 max-lg:w-full">
      <span className="flex size-7 shrink-0 items-center justify-center rounded-md border border-line bg-surface text-muted">
        <Icon size={14} aria-hidden />
      </span>
      <div className="min-w-0">
        <p className="flex items-center gap-1.5">
          <button
            type="button"
            onClick={props.onDetails}
            className="min-w-0 truncate rounded-sm font-medium hover:underline"
          >
            {model.name}
          </button>
          {model.pinned && (
            <span title="Pinned: never suggested for removal">
              <Pin size={12} className="text-faint" aria-label="pinned" />
            </span>
          )}
        </p>
        <p className="truncate text-sm text-muted" title={aboutModel(model)}>
          {aboutModel(model)}
        </p>
      </div>
    </div>
  );
}

/** A cell that says what it is where there is no column above it. */
function Fact(props: {
  readonly label: string;
  readonly unit?: string;
  readonly className?: string;
  readonly children: ReactNode;
}) {
  return (
    <span className={classes("text-sm whitespace-nowrap", props.className)}>
      <span className="sr-only">{props.label} </span>
      {props.children}
      {props.unit !== undefined && (
        <span aria-hidden className="text-faint lg:hidden">
          {" "}
          {props.unit}
        </span>
      )}
    </span>
  );
}

function Leaves(props: { readonly running: RunningModel }) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const words = whenItLeaves(props.running, now);
  return words === undefined ? null : <span className="text-xs text-faint">{words}</span>;
}

interface Attempt {
  readonly attempt: (action: () => Promise<void>) => Promise<void>;
}

function LoadButton(
  props: Attempt & {
    readonly model: LocalModel;
    readonly running: RunningModel | undefined;
    readonly busy: boolean;
    readonly onLoadWith: (model: LocalModel) => void;
  },
) {
  const { model, running, busy, attempt } = props;
  const mayRun = useMay("runs:write");
  if (!mayRun) return null;
  const { name } = model;
  if (model.kind === "adapter") {
    return (
      <Button size="small" icon={<Power size={12} aria-hidden />} onClick={() => props.onLoadWith(model)}>
        Load with…
      </Button>
    );
  }
  const loaded = running !== undefined && running.state !== "failed";
  const change = () =>
    void attempt(async () => {
      await (loaded ? client.call("modelRuntimes.unload", { name }) : client.call("modelRuntimes.load", { name }));
      await refreshModels();
    });
  return (
    <>
      <Button
        size="small"
        busy={busy || running?.state === "loading"}
        aria-label={`${loaded ? "Unload" : "Load"} ${name}`}
        icon={loaded ? <PowerOff size={12} aria-hidden /> : <Power size={12} aria-hidden />}
        {...(loaded && running.state === "busy" && { tip: "Answers that are on their way are finished first." })}
        onClick={change}
      >
        {loaded ? "Unload" : "Load"}
      </Button>
      {!model.embeds && (
        <Link
          to="/models/playground"
          search={{ models: [model.ref] }}
          aria-label={`Try ${name}`}
          className="inline-flex h-6.5 items-center gap-1.5 rounded-md border border-line-strong bg-raised px-2 text-sm font-medium shadow-raised hover:bg-hover"
        >
          <Play size={11} aria-hidden fill="currentColor" /> Try
        </Link>
      )}
    </>
  );
}

function RowMenu(
  props: Actions & Attempt & { readonly model: LocalModel; readonly running: RunningModel | undefined },
) {
  const { model, running, attempt } = props;
  const navigate = useNavigate();
  const mayChange = useMay("models:write");
  const mayRun = useMay("runs:write");
  const pin = () =>
    void attempt(async () => {
      await client.call("localModels.pin", { name: model.name, pinned: !model.pinned });
      await refreshModels();
    });
  const items: MenuItem[] = [
    { label: "Details", icon: <Info size={14} aria-hidden />, onSelect: () => props.onDetails(model) },
    ...(mayRun && model.kind === "model"
      ? [
          {
            label: "Load with settings…",
            icon: <Power size={14} aria-hidden />,
            onSelect: () => props.onLoadWith(model),
          },
        ]
      : []),
    ...(mayChange
      ? [
          {
            label: "Quantize…",
            icon: <Minimize2 size={14} aria-hidden />,
            onSelect: () => props.onQuantize(model),
            disabledReason: whyNotQuantized(model),
          },
          {
            label: "Train from it…",
            icon: <FileText size={14} aria-hidden />,
            onSelect: () => void navigate({ to: "/models/jobs", search: { window: "train", base: model.name } }),
            disabledReason: model.kind === "adapter" ? "An adapter is not trained further." : undefined,
          },
          {
            label: model.pinned ? "Unpin" : "Pin",
            icon: model.pinned ? <PinOff size={14} aria-hidden /> : <Pin size={14} aria-hidden />,
            onSelect: pin,
            disabledReason: model.shipped ? "It stays anyway." : undefined,
          },
          {
            label: "Remove…",
            icon: <Trash2 size={14} aria-hidden />,
            danger: true,
            onSelect: () => props.onRemove(model),
            disabledReason: whyNotRemoved(model, running),
          },
        ]
      : []),
  ];
  return (
    <Menu
      trigger={
        <IconButton label={`More about ${model.name}`} size="small">
          <Ellipsis size={15} aria-hidden />
        </IconButton>
      }
      items={items}
    />
  );
}
