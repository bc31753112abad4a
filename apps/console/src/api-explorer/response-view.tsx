import { Check, Copy, Download } from "lucide-react";
import { useEffect, useMemo } from "react";
import { Button } from "../components/button.tsx";
import { Chip } from "../components/chip.tsx";
import { useCopy } from "../components/copy-text.tsx";
import { formatBytes, formatDuration } from "../components/format.ts";
import { JsonText } from "./json-text.tsx";
import type { ApiResponse } from "./send.ts";

/** Status, time, what the headers say of the answer, and the answer. */
export function ResponseView(props: { readonly response: ApiResponse }) {
  const { response } = props;
  const { copied, copy } = useCopy(response.body.kind === "text" ? response.body.text : "");
  return (
    <>
      <div className="tabular flex flex-wrap items-center gap-x-3 gap-y-1 text-sm">
        <Chip tone={response.status < 300 ? "good" : response.status < 400 ? "accent" : "bad"}>
          <span className="font-mono">{response.status}</span> {response.statusText}
        </Chip>
        <span className="text-muted">{formatDuration(response.milliseconds)}</span>
        <span className="text-muted">{formatBytes(response.bytes)}</span>
        {response.body.kind === "text" && response.body.text !== "" && (
          <Button
            size="small"
            tone="quiet"
            className="ml-auto"
            icon={copied ? <Check size={13} aria-hidden className="text-good" /> : <Copy size={13} aria-hidden />}
            onClick={copy}
          >
            {copied ? "Copied" : "Copy"}
          </Button>
        )}
      </div>
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-0.5 font-mono text-xs leading-5">
        {response.headers.map(([name, value]) => (
          <div key={name} className="col-span-2 grid grid-cols-subgrid">
            <dt className="text-faint">{name}</dt>
            <dd className="min-w-0 break-all">{value}</dd>
          </div>
        ))}
      </dl>
      {response.body.kind === "text" ? (
        response.body.text !== "" && <JsonText text={response.body.text} />
      ) : (
        <SaveFile blob={response.body.blob} name={response.body.name} />
      )}
    </>
  );
}

function SaveFile(props: { readonly blob: Blob; readonly name: string }) {
  const url = useMemo(() => URL.createObjectURL(props.blob), [props.blob]);
  useEffect(() => () => URL.revokeObjectURL(url), [url]);
  return (
    <a
      href={url}
      download={props.name}
      className="inline-flex h-8 items-center gap-1.5 self-start rounded-md border border-line-strong bg-raised px-3 font-medium shadow-raised hover:bg-hover"
    >
      <Download size={14} aria-hidden /> Save {props.name} ({formatBytes(props.blob.size)})
    </a>
  );
}
