import type { OutputOf, Operations } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { BadgeCheck, Play } from "lucide-react";
import { useState, type ReactNode } from "react";
import { client, failureOf } from "../api/client.ts";
import { query } from "../api/queries.ts";
import { TextBlock } from "../components/arguments-view.tsx";
import { Button } from "../components/button.tsx";
import { Chip } from "../components/chip.tsx";
import { CopyId } from "../components/copy-text.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatBytes, formatCount, formatNumber } from "../components/format.ts";
import { RelativeTime } from "../components/relative-time.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useAttempt } from "../components/use-attempt.ts";
import { useMay } from "../identity/identity.ts";
import { CompareTexts } from "./compare-texts.tsx";
import { formatParameters, kindOf } from "./model-words.ts";

type Details = OutputOf<Operations["localModels.get"]>;
type Verdict = OutputOf<Operations["localModels.verify"]>;

/** Everything that is known of one model: what it is, where it came from, what it takes, and whether it is still whole. */
export function ModelDetails(props: { readonly name: string; readonly onClose: () => void }) {
  const { name, onClose } = props;
  const details = useQuery({ ...query("localModels.get", { name }), retry: false });
  const mayVerify = useMay("models:write");
  const mayRun = useMay("runs:write");
  const [verdict, setVerdict] = useState<Verdict>();
  const { busy, failure, attempt } = useAttempt();
  const verify = () => attempt(async () => setVerdict(await client.call("localModels.verify", { name })));
  const model = details.data;
  const kind = model === undefined ? undefined : kindOf(model);
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={
        <span className="flex flex-wrap items-center gap-2">
          <span className="min-w-0 break-all">{name}</span>
          {kind !== undefined && <Chip>{kind}</Chip>}
        </span>
      }
      {...(model?.shipped === true && {
        description: "A tiny model that was trained on Benchtop’s own documentation. It knows nothing else.",
      })}
      footer={
        model !== undefined && (
          <>
            {mayVerify && (
              <Button
                busy={busy}
                className="sm:mr-auto"
                icon={<BadgeCheck size={14} aria-hidden />}
                tip="Reads every file again and compares its hash."
                onClick={() => void verify()}
              >
                Verify
              </Button>
            )}
            <Button onClick={onClose}>Close</Button>
            {mayRun && model.kind === "model" && !model.embeds && (
              <Link
                to="/models/playground"
                search={{ models: [model.ref] }}
                className="inline-flex h-8 items-center gap-1.5 rounded-md bg-accent px-3 font-medium text-on-accent shadow-raised hover:bg-accent-hover"
              >
                <Play size={12} aria-hidden fill="currentColor" /> Try it
              </Link>
            )}
          </>
        )
      }
    >
      {details.isPending && <SkeletonRows count={6} label="Loading the details" />}
      {details.isError && (
        <ErrorNotice
          failure={failureOf(details.error)}
          handlers={{ retry: async () => void (await details.refetch()) }}
        />
      )}
      {model !== undefined && (
        <div className="flex max-h-[58vh] flex-col gap-4 overflow-y-auto max-sm:max-h-none" tabIndex={-1}>
          {verdict !== undefined && <VerdictNotice verdict={verdict} />}
          {failure !== undefined && <ErrorNotice failure={failure} handlers={{ retry: verify }} />}
          <Facts model={model} />
          {model.memory !== null && <MemoryEstimate memory={model.memory} />}
          {model.embeds && mayRun && <CompareTexts model={model.ref} />}
          <Part title="Files">
            <ul className="tabular overflow-hidden rounded-lg border border-line text-sm">
              {model.files.map((file) => (
                <li
                  key={file.path}
                  className="flex flex-wrap items-center gap-x-3 border-b border-line px-3 py-1.5 last:border-b-0"
                >
                  <span className="min-w-0 flex-1 font-mono text-xs break-all">{file.path}</span>
                  <span className="text-muted">{formatBytes(file.bytes)}</span>
                  <CopyId id={file.sha256} label={`sha256 of ${file.path}`} />
                </li>
              ))}
            </ul>
          </Part>
          {model.chatTemplate !== null && (
            <Part title="Chat template">
              <TextBlock text={model.chatTemplate} />
            </Part>
          )}
          {model.manifest !== null && (
            <Part title="How it was made">
              <TextBlock text={JSON.stringify(model.manifest, null, 2)} limit={20_000} />
            </Part>
          )}
        </div>
      )}
    </Dialog>
  );
}

function Facts({ model }: { readonly model: Details }) {
  const facts: readonly (readonly [string, ReactNode])[] = [
    ["Asked as", <CopyId key="ref" id={model.ref} label="reference" />],
    [
      "Source",
      <span key="source" className="break-all">
        {model.source}
      </span>,
    ],
    ["Licence", model.licence ?? <span className="text-muted">not told</span>],
    ["Architecture", `${model.architecture}, ${formatParameters(model.parameters)} parameters`],
    ["Weights", `${model.quantization}, ${formatBytes(model.bytes)}`],
    ["Context", model.contextTokens === null ? "not told" : `${formatNumber(model.contextTokens)} tokens`],
    ["Conversation", model.hasChatTemplate ? "by its own template" : "in a plain form: it has no template"],
    ["Installed", <RelativeTime key="installed" at={model.installedAt} />],
    ["Last used", model.usedAt === null ? "never" : <RelativeTime key="used" at={model.usedAt} />],
  ];
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-1 rounded-lg border border-line bg-sunken px-3.5 py-3">
      {facts.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-muted">{name}</dt>
          <dd className="min-w-0">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function MemoryEstimate({ memory }: { readonly memory: NonNullable<Details["memory"]> }) {
  const { weightsBytes, cacheBytes, computeBytes, totalBytes } = memory;
  const parts = [
    { name: "weights", bytes: weightsBytes, className: "bg-accent" },
    { name: "context", bytes: cacheBytes, className: "bg-accent-line" },
    { name: "computing", bytes: computeBytes, className: "hatched" },
    {
      name: "its process",
      bytes: Math.max(0, totalBytes - weightsBytes - cacheBytes - computeBytes),
      className: "bg-line-strong",
    },
  ];
  return (
    <Part title={`Memory when loaded: about ${formatBytes(totalBytes)}`}>
      <div aria-hidden className="flex h-2 gap-px overflow-hidden rounded-full bg-selected">
        {parts.map(({ name, bytes, className }) => (
          <span key={name} className={className} style={{ width: `${(100 * bytes) / Math.max(1, totalBytes)}%` }} />
        ))}
      </div>
      <ul className="tabular mt-1.5 flex flex-wrap gap-x-4 text-sm text-muted">
        {parts.map(({ name, bytes, className }) => (
          <li key={name} className="flex items-center gap-1.5">
            <span aria-hidden className={`size-2 rounded-sm ${className}`} />
            {name} {formatBytes(bytes)}
          </li>
        ))}
      </ul>
    </Part>
  );
}

function VerdictNotice({ verdict }: { readonly verdict: Verdict }) {
  return verdict.intact ? (
    <p role="status" className="rounded-lg border border-good-line bg-good-soft px-3 py-2.5">
      <span className="font-medium text-good">Whole and unchanged.</span> Every file has the hash that it was installed
      with.
    </p>
  ) : (
    <div role="alert" className="rounded-lg border border-bad-line bg-bad-soft px-3 py-2.5">
      <p className="font-medium text-bad">
        {formatCount(verdict.damaged.length, "file")} changed since the model was installed. Install it again.
      </p>
      <p className="font-mono text-xs break-all">{verdict.damaged.join(", ")}</p>
    </div>
  );
}

function Part(props: { readonly title: string; readonly children: ReactNode }) {
  return (
    <section>
      <h3 className="mb-1 text-sm font-semibold text-muted">{props.title}</h3>
      {props.children}
    </section>
  );
}
