import type { InputOf, Operations, OutputOf } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { client, failureOf } from "../api/client.ts";
import { queryClient } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { TextField } from "../components/field.tsx";
import { formatBytes, formatDuration } from "../components/format.ts";
import { Select } from "../components/select.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useAttempt } from "../components/use-attempt.ts";
import { useDenied } from "../identity/identity.ts";
import { readBytes } from "./byte-text.ts";
import { keepAliveOptions } from "./keep-alive.ts";
import { modelSettings, refreshModels } from "./queries.ts";

type Settings = OutputOf<Operations["localModels.settings"]>;

/** What models may take of disk, memory and network, for the whole machine. */
export function LimitsDialog(props: { readonly onClose: () => void }) {
  const settings = useQuery(modelSettings);
  if (settings.data !== undefined) return <LimitsForm settings={settings.data} onClose={props.onClose} />;
  return (
    <Dialog open onClose={props.onClose} title="Limits of local models">
      {settings.isPending && <SkeletonRows count={4} label="Loading the limits" />}
      {settings.isError && (
        <ErrorNotice
          failure={failureOf(settings.error)}
          handlers={{ retry: async () => void (await settings.refetch()) }}
        />
      )}
    </Dialog>
  );
}

function LimitsForm(props: { readonly settings: Settings; readonly onClose: () => void }) {
  const { settings } = props;
  const mayNotChange = useDenied("models:write");
  const [quota, setQuota] = useState(sizeText(settings.quotaBytes));
  const [memory, setMemory] = useState(sizeText(settings.memoryBytes));
  const [bandwidth, setBandwidth] = useState(sizeText(settings.downloadBytesPerSecond));
  const [keepAlive, setKeepAlive] = useState(
    settings.keepAliveSeconds === null ? "always" : String(settings.keepAliveSeconds),
  );
  const [token, setToken] = useState("");
  const [forgets, setForgets] = useState(false);
  const { busy, failure, attempt } = useAttempt();
  const fields = [quota, memory, bandwidth];
  const wrong = fields.some((text) => text.trim() !== "" && readBytes(text) === undefined);
  const save = () =>
    attempt(async () => {
      const change: InputOf<Operations["localModels.configure"]> = {
        quotaBytes: sizeOf(quota, settings.quotaBytes),
        memoryBytes: sizeOf(memory, settings.memoryBytes),
        downloadBytesPerSecond: sizeOf(bandwidth, settings.downloadBytesPerSecond),
        keepAliveSeconds: keepAlive === "always" ? null : Number(keepAlive),
        ...(token.trim() !== "" ? { huggingFaceToken: token.trim() } : forgets && { huggingFaceToken: null }),
      };
      queryClient.setQueryData(modelSettings.queryKey, await client.call("localModels.configure", change));
      await refreshModels();
      props.onClose();
    });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!wrong && !busy && mayNotChange === undefined) void save();
  };
  const known = keepAliveOptions.some(({ value }) => value === keepAlive);
  return (
    <Dialog
      open
      onClose={props.onClose}
      title="Limits of local models"
      description="For the whole machine. They hold from the next moment on, for downloads that run, too."
      footer={
        <>
          <Button onClick={props.onClose}>Cancel</Button>
          <Button
            tone="primary"
            type="submit"
            form="model-limits"
            busy={busy}
            disabledReason={mayNotChange ?? (wrong ? "One of the sizes cannot be read." : undefined)}
          >
            Save
          </Button>
        </>
      }
    >
      <form id="model-limits" onSubmit={submit} className="flex flex-col gap-3.5">
        <div className="grid gap-3.5 sm:grid-cols-2">
          <SizeField
            label="All models on the disk"
            value={quota}
            onChange={setQuota}
            placeholder="no limit"
            hint="What does not fit is refused. Nothing is deleted to make room."
          />
          <SizeField
            label="Loaded models in memory"
            value={memory}
            onChange={setMemory}
            placeholder="a share of the machine’s"
            hint="Idle models leave for others; one that answers never does."
          />
          <SizeField
            label="All downloads, a second"
            value={bandwidth}
            onChange={setBandwidth}
            placeholder="no limit"
            hint="10 MB, for example."
          />
          <div>
            <p className="mb-1 text-sm font-medium text-muted">An idle model stays loaded</p>
            <Select
              label="An idle model stays loaded"
              value={keepAlive}
              onChange={setKeepAlive}
              className="h-8! w-full"
              options={
                known
                  ? keepAliveOptions
                  : [{ value: keepAlive, label: formatDuration(1000 * Number(keepAlive)) }, ...keepAliveOptions]
              }
            />
          </div>
        </div>
        <div className="border-t border-line pt-3.5">
          <TextField
            label="Hugging Face token"
            type="password"
            autoComplete="off"
            value={token}
            onChange={(event) => setToken(event.target.value)}
            placeholder={settings.hasHuggingFaceToken && !forgets ? "a token is kept" : "none is kept"}
            hint="For gated and private models. Kept encrypted on this machine; it is never shown again."
          />
          {settings.hasHuggingFaceToken && (
            <Button size="small" tone="quiet" className="mt-1 -ml-2" onClick={() => setForgets((before) => !before)}>
              {forgets ? "Keep the token after all" : "Forget the token when saving"}
            </Button>
          )}
        </div>
        {failure !== undefined && <ErrorNotice failure={failure} handlers={{ retry: save }} />}
      </form>
    </Dialog>
  );
}

function SizeField(props: {
  readonly label: string;
  readonly value: string;
  readonly onChange: (text: string) => void;
  readonly placeholder: string;
  readonly hint: string;
}) {
  const { value } = props;
  const wrong = value.trim() !== "" && readBytes(value) === undefined;
  return (
    <TextField
      label={props.label}
      value={value}
      autoComplete="off"
      placeholder={props.placeholder}
      onChange={(event) => props.onChange(event.target.value)}
      hint={props.hint}
      error={wrong ? "A number and its unit: 50 GB." : undefined}
    />
  );
}

function sizeText(bytes: number | null): string {
  return bytes === null ? "" : formatBytes(bytes);
}

/** What nobody touched stays exact, although it is shown rounded. */
function sizeOf(text: string, before: number | null): number | null {
  if (text === sizeText(before)) return before;
  return readBytes(text) ?? null;
}
