import type { Provider } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { CircleCheck, Globe, HardDrive, KeyRound, Plus } from "lucide-react";
import { useState } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { query, queryClient } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Chip } from "../components/chip.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatCount, formatDuration } from "../components/format.ts";
import { RelativeTime } from "../components/relative-time.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { denial, useIdentity } from "../identity/identity.ts";
import { ProviderSetup } from "../providers/provider-setup.tsx";
import { kindNames } from "../providers/presets.ts";

export function ProvidersSection() {
  const providers = useQuery(query("providers.list", {}));
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<Provider>();
  const identity = useIdentity();
  const mayChange = identity?.permissions.includes("providers:write") === true;
  const empty = providers.data?.items.length === 0;
  return (
    <section>
      <div className="mb-3 flex items-center justify-between">
        <div>
          <h2 className="text-lg font-semibold tracking-tight">Model providers</h2>
          <p className="text-sm text-muted">Only the hosts listed here can be reached from this machine by Benchtop.</p>
        </div>
        {mayChange && !empty && !adding && (
          <Button size="small" icon={<Plus size={13} aria-hidden />} onClick={() => setAdding(true)}>
            Add
          </Button>
        )}
      </div>
      {providers.isPending && <SkeletonRows count={3} label="Loading providers" />}
      {providers.isError && (
        <ErrorNotice
          failure={failureOf(providers.error)}
          handlers={{ retry: async () => void (await providers.refetch()) }}
        />
      )}
      {!mayChange && empty && (
        <p className="rounded-lg border border-dashed border-line-strong px-4 py-6 text-center text-muted">
          No model is connected yet. {identity !== undefined && denial(identity, "providers:write")}
        </p>
      )}
      {mayChange && (adding || empty) && (
        <div className="mb-4">
          <ProviderSetup onDone={() => setAdding(false)} />
          {adding && !empty && (
            <Button size="small" tone="quiet" className="mt-2" onClick={() => setAdding(false)}>
              Close
            </Button>
          )}
        </div>
      )}
      <ul className="flex flex-col gap-2.5">
        {providers.data?.items.map((provider) => (
          <ProviderRow
            key={provider.name}
            provider={provider}
            {...(mayChange && { onRemove: () => setRemoving(provider) })}
          />
        ))}
      </ul>
      {removing !== undefined && <RemoveProvider provider={removing} onClose={() => setRemoving(undefined)} />}
    </section>
  );
}

type Test =
  | { readonly state: "asking" }
  | { readonly state: "ok"; readonly models: number; readonly latencyMs: number }
  | { readonly state: "failed"; readonly failure: Failure };

/** Without `onRemove` it is only to be looked at. */
function ProviderRow(props: { readonly provider: Provider; readonly onRemove?: () => void }) {
  const { provider } = props;
  const [test, setTest] = useState<Test>();
  const [key, setKey] = useState<string>();
  const ask = async () => {
    setTest({ state: "asking" });
    try {
      const answer = await client.call("providers.test", { name: provider.name });
      setTest({ state: "ok", models: answer.models.length, latencyMs: answer.latencyMs });
    } catch (thrown) {
      setTest({ state: "failed", failure: failureOf(thrown) });
    }
  };
  const replaceKey = async () => {
    if (key === undefined || key === "") return;
    try {
      const { name, kind, baseUrl, local, prices } = provider;
      await client.call("providers.add", {
        name,
        kind,
        baseUrl,
        local,
        apiKey: key,
        ...(prices !== null && { prices }),
      });
      setKey(undefined);
      await queryClient.invalidateQueries({ queryKey: ["providers.list"] });
      await queryClient.invalidateQueries({ queryKey: ["models.list"] });
      await ask();
    } catch (thrown) {
      setTest({ state: "failed", failure: failureOf(thrown) });
    }
  };
  return (
    <li className="rounded-lg border border-line bg-raised px-3.5 py-3 shadow-raised">
      <div className="flex flex-wrap items-center gap-x-2.5 gap-y-2">
        <div className="min-w-50 flex-1 max-sm:min-w-full">
          <h3 className="flex items-center gap-2 font-semibold">
            {provider.name}
            <Chip
              tone={provider.local ? "good" : "accent"}
              icon={provider.local ? <HardDrive size={11} aria-hidden /> : <Globe size={11} aria-hidden />}
            >
              {provider.local ? "Local" : "Remote"}
            </Chip>
          </h3>
          <p className="text-sm break-all text-muted">
            <span className="font-mono text-xs">{provider.baseUrl}</span> · {kindNames[provider.kind]} ·{" "}
            {provider.hasApiKey ? "key kept" : "no key"} ·{" "}
            <RelativeTime at={provider.createdAt} className="text-faint" />
          </p>
        </div>
        {props.onRemove !== undefined && (
          <>
            <Button size="small" busy={test?.state === "asking"} onClick={() => void ask()}>
              Test
            </Button>
            <Button
              size="small"
              icon={<KeyRound size={12} aria-hidden />}
              onClick={() => setKey(key === undefined ? "" : undefined)}
            >
              {provider.hasApiKey ? "Replace key" : "Set key"}
            </Button>
            <Button size="small" tone="quiet" onClick={props.onRemove}>
              Remove…
            </Button>
          </>
        )}
      </div>
      {key !== undefined && (
        <form
          className="mt-2.5 flex gap-2"
          onSubmit={(event) => {
            event.preventDefault();
            void replaceKey();
          }}
        >
          <input
            type="password"
            className="field"
            autoFocus
            autoComplete="off"
            aria-label={`New API key for ${provider.name}`}
            placeholder="New API key"
            value={key}
            onChange={(event) => setKey(event.target.value)}
          />
          <Button type="submit" tone="primary" disabledReason={key === "" ? "Paste the key first." : undefined}>
            Save and test
          </Button>
        </form>
      )}
      {test?.state === "ok" && (
        <p role="status" className="tabular mt-2 flex items-center gap-1.5 text-sm text-good">
          <CircleCheck size={13} aria-hidden /> Answers in {formatDuration(test.latencyMs)} with{" "}
          {formatCount(test.models, "model")}.
        </p>
      )}
      {test?.state === "failed" && (
        <div className="mt-2.5">
          <ErrorNotice failure={test.failure} handlers={{ retry: ask, open_settings: () => setKey("") }} />
        </div>
      )}
    </li>
  );
}

function RemoveProvider(props: { readonly provider: Provider; readonly onClose: () => void }) {
  const { provider, onClose } = props;
  const [failure, setFailure] = useState<Failure>();
  const remove = async () => {
    try {
      await client.call("providers.remove", { name: provider.name });
      await queryClient.invalidateQueries({ queryKey: ["providers.list"] });
      await queryClient.invalidateQueries({ queryKey: ["models.list"] });
      onClose();
    } catch (thrown) {
      setFailure(failureOf(thrown));
    }
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Remove ${provider.name}?`}
      description={`Its key is deleted from this machine, and ${provider.baseUrl} can no longer be reached. Past runs stay.`}
      footer={
        <>
          <Button onClick={onClose}>Keep</Button>
          <Button tone="danger" onClick={() => void remove()}>
            Remove
          </Button>
        </>
      }
    >
      {failure !== undefined && <ErrorNotice failure={failure} handlers={{ retry: remove }} />}
    </Dialog>
  );
}
