import type { FailureReport } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Check, Copy, Download } from "lucide-react";
import type { ReactNode } from "react";
import { failureOf } from "../api/client.ts";
import { query } from "../api/queries.ts";
import { saveBlob } from "../api/save.ts";
import { TextBlock } from "./arguments-view.tsx";
import { Button } from "./button.tsx";
import { CopyId, useCopy } from "./copy-text.tsx";
import { Dialog } from "./dialog.tsx";
import { FailureBox } from "./failure-box.tsx";
import { formatClock, formatExact } from "./format.ts";
import { SkeletonRows } from "./skeleton.tsx";

/** What was kept of a failure on this machine. It holds no prompt, no file content and no secret, so it can be handed on. */
export function ReportDialog(props: { readonly failureId: string; readonly onClose: () => void }) {
  const { failureId, onClose } = props;
  const report = useQuery(query("failures.get", { failureId }));
  const text = report.data === undefined ? "" : `${JSON.stringify(report.data, null, 2)}\n`;
  const { copied, copy } = useCopy(text);
  return (
    <Dialog
      open
      onClose={onClose}
      wide
      title="Report of a failure"
      description="Kept on this machine. It holds no prompt, no file content and no secret: it can be handed on as it is."
      footer={
        report.data !== undefined && (
          <>
            <Button
              icon={copied ? <Check size={13} aria-hidden className="text-good" /> : <Copy size={13} aria-hidden />}
              onClick={copy}
            >
              {copied ? "Copied" : "Copy"}
            </Button>
            <Button
              icon={<Download size={13} aria-hidden />}
              onClick={() => saveBlob(new Blob([text], { type: "application/json" }), `${failureId}.json`)}
            >
              Download
            </Button>
            <Button tone="primary" onClick={onClose}>
              Close
            </Button>
          </>
        )
      }
    >
      {report.isPending && <SkeletonRows label="Loading the report" count={4} />}
      {report.isError && (
        <FailureBox failure={failureOf(report.error)} handlers={{ retry: async () => void (await report.refetch()) }} />
      )}
      {report.data !== undefined && <ReportFacts report={report.data} onClose={onClose} />}
    </Dialog>
  );
}

function ReportFacts(props: { readonly report: FailureReport; readonly onClose: () => void }) {
  const { report } = props;
  const facts: readonly (readonly [string, ReactNode])[] = [
    ["Code", <span className="font-mono text-xs">{report.errorCode}</span>],
    ["When", formatExact(new Date(report.at))],
    ["Where", [report.phase, report.subphase].filter((part) => part !== null).join(" · ")],
    ["Operation", report.operation],
    [
      "Run",
      report.runId === null ? null : (
        <Link
          to="/runs/$runId"
          params={{ runId: report.runId }}
          onClick={props.onClose}
          className="rounded-sm text-accent-ink underline underline-offset-2"
        >
          {report.runKind ?? "open"}
        </Link>
      ),
    ],
    ["Model", report.modelId === null ? report.providerId : `${report.providerId ?? ""}/${report.modelId}`],
    ["Version", `${report.version} · ${report.platform}`],
    ["Report", <CopyId id={report.failureId} label="report id" />],
  ];
  const detail = Object.entries(report.detail);
  return (
    <div className="flex flex-col gap-3">
      <p className="font-medium break-words">{report.message}</p>
      <dl className="tabular grid grid-cols-[auto_1fr] gap-x-6 gap-y-1 rounded-lg border border-line bg-sunken px-3.5 py-3">
        {facts
          .filter(([, value]) => value !== null && value !== "")
          .map(([name, value]) => (
            <div key={name} className="contents">
              <dt className="text-muted">{name}</dt>
              <dd className="min-w-0 break-words">{value}</dd>
            </div>
          ))}
        {detail.map(([name, value]) => (
          <div key={name} className="contents">
            <dt className="font-mono text-xs leading-5 text-muted">{name}</dt>
            <dd className="min-w-0 font-mono text-xs leading-5 break-words">
              {Array.isArray(value) ? value.join(", ") : String(value)}
            </dd>
          </div>
        ))}
      </dl>
      {report.lastEvents.length > 0 && (
        <section>
          <h3 className="mb-1 text-sm font-semibold text-muted">What the run did last</h3>
          <ol
            tabIndex={0}
            aria-label="What the run did last"
            className="tabular max-h-40 overflow-y-auto rounded-lg border border-line text-xs"
          >
            {report.lastEvents.map(({ type, at }, index) => (
              <li key={index} className="flex gap-3 border-b border-line px-3 py-1 last:border-b-0">
                <span className="flex-1 font-mono">{type}</span>
                <span className="text-faint">{formatClock(new Date(at))}</span>
              </li>
            ))}
          </ol>
        </section>
      )}
      {report.stack.length > 0 && (
        <section>
          <h3 className="mb-1 text-sm font-semibold text-muted">Where in Benchtop</h3>
          <TextBlock text={report.stack.join("\n")} />
        </section>
      )}
    </div>
  );
}
