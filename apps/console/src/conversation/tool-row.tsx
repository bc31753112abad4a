import type { Json } from "@benchtop/protocol";
import { Collapsible } from "@base-ui/react/collapsible";
import {
  ChevronRight,
  FileMinus2,
  FilePen,
  FilePlus2,
  FileSearch,
  FolderTree,
  LoaderCircle,
  Search,
  Wrench,
} from "lucide-react";
import { ArgumentsView, TextBlock } from "../components/arguments-view.tsx";
import { classes } from "../components/classes.ts";
import { formatBytes, formatDuration } from "../components/format.ts";
import type { ToolBlock } from "./turn.ts";

/** One tool call as one line: what, on which file, what came of it, how long. It opens to the whole exchange. */
export function ToolRow(props: { readonly tool: ToolBlock; readonly onOpenFile?: (path: string) => void }) {
  const { tool } = props;
  const { icon: Icon, verb } = describe(tool.name);
  const subject = subjectOf(tool.arguments);
  const { result } = tool;
  const failed = result !== undefined && result.outcome !== "success";
  const change = tool.changes.at(-1);
  return (
    <Collapsible.Root className="group/tool -mx-1.5 -my-0.5">
      <Collapsible.Trigger className="tabular flex h-7 w-full min-w-0 items-center gap-2 rounded-md px-1.5 text-left text-sm text-muted hover:bg-hover">
        {result === undefined ? (
          <LoaderCircle size={13} aria-label="Running" className="spin shrink-0 text-accent-ink" />
        ) : (
          <Icon size={13} aria-hidden className={classes("shrink-0", failed ? "text-bad" : "text-faint")} />
        )}
        <span className="shrink-0">{verb}</span>
        <span className="min-w-0 truncate font-mono text-xs text-ink">{subject}</span>
        {failed && (
          <span className="shrink-0 font-medium text-bad">{outcomeWords[result.outcome] ?? result.outcome}</span>
        )}
        {change !== undefined && (
          <span className={classes("shrink-0 text-xs", change.change === "deleted" ? "text-bad" : "text-good")}>
            {change.change === "deleted" ? "deleted in Draft" : `${change.change} · ${formatBytes(change.bytes)}`}
          </span>
        )}
        <span className="ml-auto shrink-0 text-xs text-faint">
          {result !== undefined && formatDuration(result.durationMs)}
        </span>
        <ChevronRight
          size={12}
          aria-hidden
          className="shrink-0 text-faint transition-transform duration-(--quick) group-data-open/tool:rotate-90"
        />
      </Collapsible.Trigger>
      <Collapsible.Panel className="mt-1 mb-2 ml-6.5 flex flex-col gap-1.5 text-sm">
        <div>
          <p className="text-xs text-faint">{tool.name} asked with</p>
          <ArgumentsView value={tool.arguments} />
        </div>
        {result !== undefined && (
          <div>
            <p className="text-xs text-faint">Answer</p>
            <TextBlock text={result.error?.message ?? result.content} />
          </div>
        )}
        {change !== undefined && props.onOpenFile !== undefined && (
          <button
            type="button"
            onClick={() => props.onOpenFile?.(change.path)}
            className="self-start rounded-sm text-accent-ink underline underline-offset-2"
          >
            Show this change in Review
          </button>
        )}
      </Collapsible.Panel>
    </Collapsible.Root>
  );
}

const outcomeWords: Readonly<Record<string, string>> = {
  error: "failed",
  denied: "refused",
  canceled: "canceled",
  unknown: "outcome unknown",
};

function describe(name: string): { readonly icon: typeof Wrench; readonly verb: string } {
  if (/delete|remove/.test(name)) return { icon: FileMinus2, verb: "Delete" };
  if (/write|create/.test(name)) return { icon: FilePlus2, verb: "Write" };
  if (/edit|replace|patch/.test(name)) return { icon: FilePen, verb: "Edit" };
  if (/search|grep|find/.test(name)) return { icon: Search, verb: "Search" };
  if (/list/.test(name)) return { icon: FolderTree, verb: "List" };
  if (/read/.test(name)) return { icon: FileSearch, verb: "Read" };
  return { icon: Wrench, verb: name };
}

/** What the call is about: its path or query, else its arguments in short. */
function subjectOf(input: Json): string {
  if (typeof input !== "object" || input === null || Array.isArray(input)) return "";
  for (const key of ["path", "query", "pattern", "folder", "text"]) {
    const value = input[key];
    if (typeof value === "string" && value !== "") return value;
  }
  return Object.keys(input).length === 0 ? "all files" : JSON.stringify(input).slice(0, 120);
}
