import type { CaseComparison, EvalReport, EvalSample } from "@benchtop/protocol";
import { getRouteApi } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ChevronRight, Search } from "lucide-react";
import { useEffect, useLayoutEffect, useMemo, useRef, useState, type RefObject } from "react";
import { Button } from "../components/button.tsx";
import { Chip } from "../components/chip.tsx";
import { classes } from "../components/classes.ts";
import { formatCost, formatDuration, formatNumber } from "../components/format.ts";
import { Select } from "../components/select.tsx";
import { isCovered, isTyping } from "../frame/frame-keys.ts";
import { sampleFilters, type SampleFilter } from "../search.ts";
import { formatScore, outcomeNames, outcomeTones } from "./outcomes.ts";
import { SampleDetail } from "./sample-detail.tsx";

const route = getRouteApi("/evals/$runId");

type Changes = ReadonlyMap<string, CaseComparison["change"]>;

/** Every answer of a report: filtered, found by case, opened in place. Only the rows in view exist. */
export function SampleTable(props: {
  readonly report: EvalReport;
  /** By model and case, where the report is compared with another. */
  readonly changes: Changes;
  readonly scroller: RefObject<HTMLDivElement | null>;
}) {
  const { report, changes, scroller } = props;
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const [text, setText] = useState("");
  const { samples } = report;
  const counts = useMemo(() => countsOf(samples, changes), [samples, changes]);
  const shown = useMemo(
    () =>
      samples.filter(
        (sample) =>
          fits(sample, search.show, changes) &&
          (search.model === undefined || sample.model === search.model) &&
          sample.caseId.toLowerCase().includes(text.trim().toLowerCase()),
      ),
    [samples, changes, search.show, search.model, text],
  );
  const open = (key: string | undefined) =>
    void navigate({
      search: ({ answer: _answer, ...rest }) => ({ ...rest, ...(key !== undefined && { answer: key }) }),
      replace: true,
      resetScroll: false,
    });
  useKeys((by) => {
    const at = shown.findIndex((sample) => keyOf(sample) === search.answer);
    const next = shown[at === -1 ? (by > 0 ? 0 : shown.length - 1) : at + by];
    if (next !== undefined) open(keyOf(next));
  });
  return (
    <section aria-label="Answers">
      <div className="mb-1.5 flex flex-wrap items-center gap-2">
        <h2 className="mr-1 text-sm font-semibold text-muted">Answers</h2>
        <Filters
          counts={counts}
          show={search.show}
          total={samples.length}
          onChange={(show) =>
            void navigate({
              search: ({ show: _show, ...rest }) => ({ ...rest, ...(show !== undefined && { show }) }),
              replace: true,
              resetScroll: false,
            })
          }
        />
        <span className="ml-auto flex items-center gap-2 max-sm:ml-0 max-sm:w-full">
          {report.suite.models.length > 1 && (
            <Select
              label="Model"
              value={search.model ?? "all"}
              onChange={(model) =>
                void navigate({
                  search: ({ model: _model, ...rest }) => ({ ...rest, ...(model !== "all" && { model }) }),
                  replace: true,
                  resetScroll: false,
                })
              }
              options={[
                { value: "all", label: "Any model" },
                ...report.suite.models.map((model) => ({ value: model, label: model })),
              ]}
            />
          )}
          <span className="relative max-sm:flex-1">
            <Search size={13} aria-hidden className="absolute top-2 left-2 text-faint" />
            <input
              type="search"
              aria-label="Find a case"
              placeholder="Find a case"
              value={text}
              onChange={(event) => setText(event.target.value)}
              className="field h-7! w-44 pl-7! text-sm max-sm:w-full"
            />
          </span>
        </span>
      </div>
      {shown.length === 0 ? (
        <div className="rounded-lg border border-line bg-surface px-4 py-8 text-center text-muted">
          No answer matches.{" "}
          <Button
            size="small"
            tone="quiet"
            onClick={() => {
              setText("");
              void navigate({
                search: ({ show: _show, model: _model, ...rest }) => rest,
                replace: true,
                resetScroll: false,
              });
            }}
          >
            Show every answer
          </Button>
        </div>
      ) : (
        <Rows
          samples={shown}
          report={report}
          changes={changes}
          opened={search.answer}
          onOpen={open}
          scroller={scroller}
        />
      )}
    </section>
  );
}

function Filters(props: {
  readonly counts: ReadonlyMap<SampleFilter, number>;
  readonly show: SampleFilter | undefined;
  readonly total: number;
  readonly onChange: (show: SampleFilter | undefined) => void;
}) {
  const names: Readonly<Record<SampleFilter, string>> = { ...outcomeNames, regressed: "Regressed", fixed: "Fixed" };
  const present = sampleFilters.filter((filter) => (props.counts.get(filter) ?? 0) > 0 || filter === props.show);
  return (
    <div role="group" aria-label="Show" className="tabular flex flex-wrap gap-1">
      {[undefined, ...present].map((filter) => {
        const pressed = props.show === filter;
        return (
          <button
            key={filter ?? "all"}
            type="button"
            aria-pressed={pressed}
            onClick={() => props.onChange(filter)}
            className={classes(
              "flex h-6 items-center gap-1 rounded-full border px-2.5 text-xs font-medium",
              pressed
                ? "border-accent-line bg-accent-soft text-accent-ink"
                : "border-line bg-surface text-muted hover:bg-hover hover:text-ink",
            )}
          >
            {filter === undefined ? "All" : names[filter]}
            <span className={pressed ? undefined : "text-faint"}>
              {formatNumber(filter === undefined ? props.total : (props.counts.get(filter) ?? 0))}
            </span>
          </button>
        );
      })}
    </div>
  );
}

function Rows(props: {
  readonly samples: readonly EvalSample[];
  readonly report: EvalReport;
  readonly changes: Changes;
  readonly opened: string | undefined;
  readonly onOpen: (key: string | undefined) => void;
  readonly scroller: RefObject<HTMLDivElement | null>;
}) {
  const { samples, report, changes, opened, scroller } = props;
  const list = useRef<HTMLUListElement>(null);
  const [margin, setMargin] = useState(0);
  useLayoutEffect(() => {
    // What stands above the list may have grown.
    setMargin(list.current?.offsetTop ?? 0);
  });
  const virtualizer = useVirtualizer({
    count: samples.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 40,
    getItemKey: (index) => keyOf(samples[index] ?? { model: "", caseId: "", repetition: index }),
    overscan: 12,
    scrollMargin: margin,
  });
  const openedAt = samples.findIndex((sample) => keyOf(sample) === opened);
  useEffect(() => {
    if (openedAt >= 0) virtualizer.scrollToIndex(openedAt, { align: "auto" });
    // Once for each answer that is opened, not whenever the list is measured again.
  }, [opened]);
  return (
    <ul
      ref={list}
      aria-label={`${formatNumber(samples.length)} answers`}
      className="relative rounded-lg border border-line bg-surface"
      style={{ height: virtualizer.getTotalSize() + 2 }}
    >
      {virtualizer.getVirtualItems().map((row) => {
        const sample = samples[row.index];
        if (sample === undefined) return null;
        const key = keyOf(sample);
        return (
          <li
            key={row.key}
            ref={virtualizer.measureElement}
            data-index={row.index}
            className="absolute inset-x-0 border-b border-line last:border-b-0"
            style={{ transform: `translateY(${row.start - margin}px)` }}
          >
            <SampleRow
              sample={sample}
              report={report}
              change={changes.get(`${sample.model} ${sample.caseId}`)}
              open={opened === key}
              onToggle={() => props.onOpen(opened === key ? undefined : key)}
            />
          </li>
        );
      })}
    </ul>
  );
}

function SampleRow(props: {
  readonly sample: EvalSample;
  readonly report: EvalReport;
  readonly change: CaseComparison["change"] | undefined;
  readonly open: boolean;
  readonly onToggle: () => void;
}) {
  const { sample, report, change, open } = props;
  const missed = sample.verdicts.find(({ outcome }) => outcome !== "passed");
  return (
    <>
      <button
        type="button"
        aria-expanded={open}
        onClick={props.onToggle}
        className="tabular flex h-10 w-full items-center gap-3 px-3 text-left text-sm hover:bg-hover focus-visible:-outline-offset-2"
      >
        <ChevronRight
          size={13}
          aria-hidden
          className={classes("shrink-0 text-faint transition-transform duration-(--quick)", open && "rotate-90")}
        />
        <span className="w-20 shrink-0">
          <Chip tone={outcomeTones[sample.outcome]}>{outcomeNames[sample.outcome]}</Chip>
        </span>
        <span className="min-w-0 flex-1 truncate">
          <span className="text-base font-medium">{sample.caseId}</span>
          {report.suite.repeat > 1 && <span className="ml-1.5 text-faint">#{sample.repetition}</span>}
          <span className="ml-3 text-muted max-md:hidden">{sample.error?.message ?? missed?.reason ?? ""}</span>
        </span>
        {(change === "regressed" || change === "fixed") && (
          <Chip tone={change === "fixed" ? "good" : "bad"}>{change === "fixed" ? "Fixed" : "Regressed"}</Chip>
        )}
        {report.suite.models.length > 1 && (
          <span className="max-w-50 truncate text-muted max-md:hidden">{sample.model}</span>
        )}
        <span className="w-10 shrink-0 text-right font-medium max-sm:hidden">{formatScore(sample.score)}</span>
        <span className="w-16 shrink-0 text-right text-muted max-sm:hidden">
          {sample.outcome === "not-run" ? "" : formatDuration(sample.durationMs)}
        </span>
        <span className="w-20 shrink-0 text-right text-muted max-lg:hidden">
          {sample.cached ? "from cache" : sample.costMicros !== null && formatCost(sample.costMicros)}
        </span>
      </button>
      {open && <SampleDetail sample={sample} />}
    </>
  );
}

function keyOf({ model, caseId, repetition }: Pick<EvalSample, "model" | "caseId" | "repetition">): string {
  return `${model} ${caseId} ${repetition}`;
}

function fits(sample: EvalSample, filter: SampleFilter | undefined, changes: Changes): boolean {
  if (filter === undefined) return true;
  if (filter === "regressed" || filter === "fixed") return changes.get(`${sample.model} ${sample.caseId}`) === filter;
  return sample.outcome === filter;
}

function countsOf(samples: readonly EvalSample[], changes: Changes): ReadonlyMap<SampleFilter, number> {
  return new Map(
    sampleFilters.map((filter) => [filter, samples.filter((sample) => fits(sample, filter, changes)).length]),
  );
}

/** `j` and `k` open the next answer and the one before. */
function useKeys(step: (by: 1 | -1) => void): void {
  const latest = useRef(step);
  useEffect(() => {
    latest.current = step;
  });
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || isCovered()) return;
      if (event.key !== "j" && event.key !== "k") return;
      latest.current(event.key === "j" ? 1 : -1);
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}
