import type { LocalModel } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Boxes, Plus, SlidersHorizontal } from "lucide-react";
import { useState } from "react";
import { client, failureOf } from "../api/client.ts";
import { Button, IconButton } from "../components/button.tsx";
import { ConfirmDialog } from "../components/confirm-dialog.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatBytes } from "../components/format.ts";
import { Screen } from "../components/screen.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useMay } from "../identity/identity.ts";
import type { ModelsSearch } from "../search.ts";
import { Downloads } from "./downloads.tsx";
import { InstallDialog } from "./install-dialog.tsx";
import { LimitsDialog } from "./limits-dialog.tsx";
import { LoadDialog } from "./load-dialog.tsx";
import { DiskMeter, MemoryMeter } from "./meters.tsx";
import { ModelDetails } from "./model-details.tsx";
import { ModelTable } from "./model-table.tsx";
import { ModelsBar } from "./models-bar.tsx";
import { QuantizeDialog } from "./quantize-dialog.tsx";
import { installedModels, refreshModels, useRuntimes } from "./queries.ts";

const route = getRouteApi("/models");

/** The models of this machine: what they take, what is coming, and what can be done with each. */
export function LibraryScreen() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const list = useQuery({ ...installedModels, refetchInterval: 5_000 });
  const runtimes = useRuntimes();
  const status = runtimes.data;
  const mayChange = useMay("models:write");
  const [removing, setRemoving] = useState<LocalModel>();
  const open = (next: ModelsSearch) => void navigate({ search: next });
  const close = () => open({});
  const models = list.data?.items ?? [];
  const loading = models.find(({ name }) => name === search.load);
  const install = (
    <Button
      size="small"
      tone="primary"
      icon={<Plus size={14} aria-hidden />}
      aria-label="Install a model"
      onClick={() => open({ window: "install" })}
    >
      <span className="max-sm:hidden">Install a model</span>
    </Button>
  );
  return (
    <Screen
      title="Models"
      bar={<ModelsBar />}
      actions={
        <>
          {mayChange ? (
            <Button
              size="small"
              icon={<SlidersHorizontal size={13} aria-hidden />}
              aria-label="Limits"
              onClick={() => open({ window: "limits" })}
            >
              <span className="max-sm:hidden">Limits</span>
            </Button>
          ) : (
            <IconButton label="Limits" onClick={() => open({ window: "limits" })}>
              <SlidersHorizontal size={14} aria-hidden />
            </IconButton>
          )}
          {mayChange && install}
        </>
      }
    >
      <div className="mx-auto flex max-w-320 flex-col gap-5 px-4 py-4 sm:px-6 sm:py-5">
        <div className="grid gap-3 md:grid-cols-2">
          <MemoryMeter status={status} />
          <DiskMeter storage={list.data?.storage} />
        </div>
        <Downloads />
        {(list.isPending || (runtimes.isPending && models.length > 0)) && <SkeletonRows label="Loading models" />}
        {list.isError && (
          <ErrorNotice failure={failureOf(list.error)} handlers={{ retry: async () => void (await list.refetch()) }} />
        )}
        {list.data !== undefined && models.length === 0 && (
          <EmptyState
            icon={<Boxes size={18} aria-hidden />}
            title="No model is installed"
            {...(mayChange && { action: install })}
          >
            A model that runs here needs no account and no network, and shows nothing to anybody.
          </EmptyState>
        )}
        {runtimes.isError && (
          <ErrorNotice
            title="Nobody knows which models are loaded"
            failure={failureOf(runtimes.error)}
            handlers={{ retry: async () => void (await runtimes.refetch()) }}
          />
        )}
        {models.length > 0 && !runtimes.isPending && (
          <ModelTable
            models={models}
            running={status?.items ?? []}
            onDetails={(model) => open({ model: model.name })}
            onQuantize={(model) => open({ quantize: model.name })}
            onLoadWith={(model) => open({ load: model.name })}
            onRemove={setRemoving}
          />
        )}
        {models.length === 1 && models[0]?.shipped === true && mayChange && (
          <p className="text-center text-muted">
            The guide is all there is so far, and it knows Benchtop alone. For anything else,{" "}
            <button
              type="button"
              className="rounded-sm text-accent-ink underline underline-offset-2"
              onClick={() => open({ window: "install" })}
            >
              install a larger model
            </button>
            .
          </p>
        )}
      </div>
      {search.model !== undefined && <ModelDetails name={search.model} onClose={close} />}
      {search.window === "install" && mayChange && <InstallDialog source={search.source} onClose={close} />}
      {search.window === "limits" && <LimitsDialog onClose={close} />}
      {search.quantize !== undefined && mayChange && <QuantizeDialog name={search.quantize} onClose={close} />}
      {loading !== undefined && <LoadDialog model={loading} models={models} onClose={close} />}
      {removing !== undefined && <RemoveDialog model={removing} onClose={() => setRemoving(undefined)} />}
    </Screen>
  );
}

function RemoveDialog(props: { readonly model: LocalModel; readonly onClose: () => void }) {
  const { model } = props;
  const made = model.source.startsWith("trained") || model.source.startsWith("quantized");
  return (
    <ConfirmDialog
      title={`Remove ${model.name}?`}
      description={`Its files are deleted from this machine: ${formatBytes(model.bytes)}. What refers to ${model.ref} fails until a model has this name again.`}
      action={`Remove ${formatBytes(model.bytes)}`}
      onClose={props.onClose}
      onConfirm={async () => {
        await client.call("localModels.remove", { name: model.name });
        await refreshModels();
        props.onClose();
      }}
    >
      <p className="text-sm text-muted">
        {made
          ? "It was made here. It comes back only by making it again."
          : "It can be installed again from where it came:"}{" "}
        {!made && <span className="font-mono text-xs break-all text-ink">{model.source}</span>}
      </p>
    </ConfirmDialog>
  );
}
