import type { Json } from "@benchtop/protocol";
import { Collapsible } from "@base-ui/react/collapsible";
import { Link } from "@tanstack/react-router";
import { ChevronRight, FileDiff, LoaderCircle, TriangleAlert } from "lucide-react";
import { ArgumentsView, TextBlock } from "../components/arguments-view.tsx";
import { Button } from "../components/button.tsx";
import { formatBytes, formatCount } from "../components/format.ts";
import { ChangeMark } from "../files/change-mark.tsx";
import { readProposal } from "./proposal.ts";
import type { ToolBlock, Turn } from "./turn.ts";

/** Files that are listed before the rest is counted. */
const mostShown = 12;

/** Changes that a message proposed all at once, and what came of applying them to the Draft: all, or none and why. */
export function ProposalCard(props: {
  readonly tool: ToolBlock;
  readonly runId: string;
  /** The proposal and what came of it, as the run keeps them. */
  readonly artifacts: Turn["artifacts"];
  readonly onOpenFile: (path: string) => void;
  readonly onReview: () => void;
}) {
  const { tool } = props;
  const { result } = tool;
  const { summary, files } = readProposal(tool.arguments, tool.changes);
  const refused = result !== undefined && result.outcome !== "success";
  const applied = result?.outcome === "success";
  return (
    <section
      aria-label="Proposed changes"
      className={`tabular rounded-lg border bg-raised shadow-raised ${refused ? "border-bad-line" : "border-draft-line"}`}
    >
      <header className="flex flex-wrap items-center gap-x-2 gap-y-1 px-3 pt-2.5">
        {result === undefined ? (
          <LoaderCircle size={14} aria-label="Applying" className="spin text-accent-ink" />
        ) : refused ? (
          <TriangleAlert size={14} aria-hidden className="text-bad" />
        ) : (
          <FileDiff size={14} aria-hidden className="text-draft" />
        )}
        <h3 className="min-w-40 flex-1 font-semibold">
          {result === undefined
            ? `Proposes ${formatCount(files.length, "change")}…`
            : refused
              ? "The proposal could not be applied: nothing changed"
              : tool.changes.length === 0
                ? "The files say this already: nothing changed"
                : `${formatCount(tool.changes.length, "file")} changed in the Draft`}
        </h3>
        {applied && tool.changes.length > 0 && (
          <Button size="small" onClick={props.onReview}>
            Review
          </Button>
        )}
      </header>
      {summary !== "" && <p className="px-3 pt-1 break-words text-muted">{summary}</p>}
      {files.length > 0 && (
        <ul className="px-1.5 pt-1.5 text-sm">
          {files.slice(0, mostShown).map((file) => {
            const row = (
              <>
                <ChangeMark change={file.change} />
                <span className="min-w-0 flex-1 truncate font-mono text-xs leading-5">{file.path}</span>
                {file.summary !== "" && (
                  <span className="max-w-1/2 min-w-0 truncate text-muted max-sm:hidden">{file.summary}</span>
                )}
                {file.bytes !== undefined && <span className="shrink-0 text-faint">{formatBytes(file.bytes)}</span>}
              </>
            );
            return (
              <li key={file.path}>
                {applied && file.bytes !== undefined ? (
                  <button
                    type="button"
                    aria-label={`Review ${file.path}, ${file.change}`}
                    onClick={() => props.onOpenFile(file.path)}
                    className="flex w-full items-center gap-2 rounded-md px-1.5 py-0.5 text-left hover:bg-hover"
                  >
                    {row}
                  </button>
                ) : (
                  <span className="flex items-center gap-2 px-1.5 py-0.5">{row}</span>
                )}
              </li>
            );
          })}
          {files.length > mostShown && (
            <li className="px-1.5 py-0.5 text-muted">and {formatCount(files.length - mostShown, "more file")}</li>
          )}
        </ul>
      )}
      <Collapsible.Root className="group/proposal px-1.5 pt-1 pb-1.5">
        <Collapsible.Trigger className="flex h-6.5 items-center gap-1.5 rounded-md px-1.5 text-sm text-muted hover:bg-hover">
          <ChevronRight
            size={12}
            aria-hidden
            className="text-faint transition-transform duration-(--quick) group-data-open/proposal:rotate-90"
          />
          As it was proposed
        </Collapsible.Trigger>
        <Collapsible.Panel className="flex flex-col gap-1.5 px-1.5 pb-1 text-sm">
          <ArgumentsView value={tool.arguments satisfies Json} />
          {result !== undefined && (
            <div>
              <p className="text-xs text-faint">What the model was told</p>
              <TextBlock text={result.error?.message ?? result.content} />
            </div>
          )}
          {props.artifacts.size > 0 && (
            <p className="text-muted">
              Kept with{" "}
              <Link
                to="/runs/$runId"
                params={{ runId: props.runId }}
                className="rounded-sm text-accent-ink underline underline-offset-2"
              >
                the run
              </Link>
              : {[...props.artifacts.values()].map(({ name, bytes }) => `${name} (${formatBytes(bytes)})`).join(", ")}
            </p>
          )}
        </Collapsible.Panel>
      </Collapsible.Root>
    </section>
  );
}
