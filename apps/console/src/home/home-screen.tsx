import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ArrowRight, FileDiff, FilePlus2, LayoutGrid, Plus, ShieldCheck } from "lucide-react";
import { useState } from "react";
import { failureOf } from "../api/client.ts";
import { query } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Chip } from "../components/chip.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatBytes, formatCount } from "../components/format.ts";
import { RelativeTime } from "../components/relative-time.tsx";
import { Screen } from "../components/screen.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useMay } from "../identity/identity.ts";
import { AskGuide } from "../models/ask-guide.tsx";
import { installedModels } from "../models/queries.ts";
import { ProviderSetup } from "../providers/provider-setup.tsx";
import { RunRow } from "../runs/run-row.tsx";

export function HomeScreen() {
  const navigate = useNavigate();
  const providers = useQuery({ ...query("providers.list", {}), enabled: useMay("providers:read") });
  const models = useQuery({ ...installedModels, enabled: useMay("providers:read") });
  const maySetUp = useMay("providers:write");
  const mayCreate = useMay("workbenches:write");
  const maySeeWorkbenches = useMay("workbenches:read");
  const maySeeRuns = useMay("runs:read");
  const [settingUp, setSettingUp] = useState(false);
  const createWorkbench = () => void navigate({ to: "/workbenches", search: { create: true } });

  if (providers.isError) {
    return (
      <Screen title="Home">
        <div className="mx-auto max-w-160 p-6">
          <ErrorNotice
            failure={failureOf(providers.error)}
            handlers={{ retry: async () => void (await providers.refetch()) }}
          />
        </div>
      </Screen>
    );
  }
  if (providers.isLoading || models.isLoading) {
    return (
      <Screen title="Home">
        <SkeletonRows label="Loading" />
      </Screen>
    );
  }
  // The guide is there from the start; it takes more than that to work on files.
  const hasOwn =
    models.data?.items.some(({ shipped, kind, embeds }) => !shipped && kind === "model" && !embeds) === true;
  const isBare = providers.data?.items.length === 0 && !hasOwn;
  // Setting up stays on screen after the first provider was added, so that the test's outcome can be read.
  if (maySetUp && (isBare || settingUp)) {
    return (
      <Screen title="Home">
        <FirstRun onFocus={() => setSettingUp(true)} onDone={createWorkbench} />
      </Screen>
    );
  }
  return (
    <Screen
      title="Home"
      actions={
        mayCreate && (
          <Button size="small" tone="primary" icon={<Plus size={14} aria-hidden />} onClick={createWorkbench}>
            New workbench
          </Button>
        )
      }
    >
      <div className="mx-auto max-w-240 px-4 py-6 sm:px-8">
        {isBare && (
          <div className="mb-6 flex flex-col gap-3">
            <p className="rounded-lg border border-line bg-raised px-4 py-3 text-muted">
              No model is connected to this workspace yet. An admin or owner connects one in its settings.
            </p>
            <AskGuide />
          </div>
        )}
        {maySeeWorkbenches && <RecentWorkbenches onCreate={mayCreate ? createWorkbench : undefined} />}
        {maySeeRuns && <RecentRuns />}
      </div>
    </Screen>
  );
}

function FirstRun(props: { readonly onFocus: () => void; readonly onDone: () => void }) {
  const mayInstall = useMay("models:write");
  const promises = [
    {
      icon: FilePlus2,
      title: "Files go in by copy",
      text: "What you add is copied. Your own folders are never touched.",
    },
    {
      icon: FileDiff,
      title: "The AI writes a Draft",
      text: "Nothing is real until you have read the changes and publish them.",
    },
    {
      icon: ShieldCheck,
      title: "Nothing leaves unasked",
      text: "You see what would be sent, and where, before the first byte goes.",
    },
  ];
  return (
    <div className="mx-auto max-w-200 px-4 py-6 sm:px-8 sm:py-10" onFocus={props.onFocus}>
      <div className="mb-8 empty:hidden">
        <AskGuide />
      </div>
      <h2 className="text-2xl font-semibold tracking-tight">Choose where answers come from</h2>
      <p className="mt-1.5 max-w-140 text-lg text-muted">
        Benchtop works with a model of your choice. Connect one now; others can be added at any time.
      </p>
      <div className="mt-6">
        <ProviderSetup onDone={props.onDone} doneLabel="Create a workbench" />
      </div>
      {mayInstall && (
        <p className="mt-4 text-sm text-muted">
          Or run one here, without an account or another program:{" "}
          <Link
            to="/models"
            search={{ window: "install" }}
            className="rounded-sm font-medium text-accent-ink underline underline-offset-2"
          >
            install a model
          </Link>
          .
        </p>
      )}
      <ul className="mt-10 grid gap-x-8 gap-y-5 border-t border-line pt-6 sm:grid-cols-3">
        {promises.map(({ icon: Icon, title, text }) => (
          <li key={title}>
            <Icon size={16} aria-hidden className="mb-2 text-accent-ink" />
            <h3 className="font-semibold">{title}</h3>
            <p className="text-sm text-muted">{text}</p>
          </li>
        ))}
      </ul>
    </div>
  );
}

function RecentWorkbenches(props: { readonly onCreate: (() => void) | undefined }) {
  const workbenches = useQuery(query("workbenches.list", { limit: 6 }));
  return (
    <section>
      <SectionTitle title="Workbenches" to="/workbenches" />
      {workbenches.isPending && <SkeletonRows count={3} label="Loading workbenches" />}
      {workbenches.isError && <ErrorNotice failure={failureOf(workbenches.error)} />}
      <div className="grid gap-2.5 sm:grid-cols-2 lg:grid-cols-3">
        {workbenches.data?.items.map((workbench) => (
          <Link
            key={workbench.workbenchId}
            to="/workbenches/$workbenchId"
            params={{ workbenchId: workbench.workbenchId }}
            className="rounded-lg border border-line bg-raised px-3.5 py-3 shadow-raised transition-colors duration-(--quick) hover:border-line-strong hover:bg-hover"
          >
            <span className="flex items-center gap-2">
              <span className="min-w-0 flex-1 truncate font-semibold">{workbench.name}</span>
              {workbench.hasDraft && (
                <Chip tone="draft" icon={<FileDiff size={11} aria-hidden />}>
                  Draft
                </Chip>
              )}
            </span>
            <span className="tabular mt-1 block text-sm text-muted">
              {formatCount(workbench.fileCount, "file")} · {formatBytes(workbench.totalBytes)}
              <span className="text-faint">
                {" · "}
                <RelativeTime at={workbench.updatedAt} />
              </span>
            </span>
          </Link>
        ))}
        {workbenches.data?.items.length === 0 && props.onCreate === undefined && (
          <p className="text-muted sm:col-span-2">There are no workbenches yet.</p>
        )}
        {workbenches.data?.items.length === 0 && props.onCreate !== undefined && (
          <button
            type="button"
            onClick={props.onCreate}
            className="flex items-center gap-3 rounded-lg border border-dashed border-line-strong px-3.5 py-3 text-left hover:bg-hover sm:col-span-2"
          >
            <LayoutGrid size={18} aria-hidden className="text-faint" />
            <span>
              <span className="block font-semibold">Create your first workbench</span>
              <span className="block text-sm text-muted">A set of files, and a conversation about them.</span>
            </span>
          </button>
        )}
      </div>
    </section>
  );
}

function RecentRuns() {
  const runs = useQuery(query("runs.list", { limit: 12 }));
  if (runs.data?.items.length === 0) return null;
  return (
    <section className="mt-8">
      <SectionTitle title="Recent runs" to="/runs" />
      {runs.isPending && <SkeletonRows label="Loading runs" />}
      {runs.isError && <ErrorNotice failure={failureOf(runs.error)} />}
      {runs.data !== undefined && (
        <div className="overflow-hidden rounded-lg border border-line bg-raised [&>*:last-child]:border-b-0">
          {runs.data.items.map((run) => (
            <RunRow key={run.runId} run={run} compact />
          ))}
        </div>
      )}
    </section>
  );
}

function SectionTitle(props: { readonly title: string; readonly to: "/workbenches" | "/runs" }) {
  return (
    <div className="mb-2.5 flex items-center justify-between">
      <h2 className="font-semibold">{props.title}</h2>
      <Link to={props.to} className="flex items-center gap-1 rounded-sm text-sm text-muted hover:text-ink">
        All {props.title.toLowerCase().replace("recent ", "")} <ArrowRight size={12} aria-hidden />
      </Link>
    </div>
  );
}
