import type { ContextUse } from "@benchtop/operations";
import { Popover } from "@base-ui/react/popover";
import { BookText, CircleHelp } from "lucide-react";
import { Button } from "../components/button.tsx";
import { classes } from "../components/classes.ts";
import { FailureBox } from "../components/failure-box.tsx";
import { formatCount, formatNumber } from "../components/format.ts";
import type { ContextQuery } from "./use-context.ts";

type Pressure = NonNullable<ContextUse["pressure"]>;

const levels: Record<Pressure, { readonly words: string; readonly bars: 1 | 2 | 3; readonly says: string }> = {
  light: { words: "Light", bars: 1, says: "There is plenty of room in the model’s window." },
  moderate: {
    words: "Moderate",
    bars: 2,
    says: "More than half of the model’s window is taken. Long answers and many files will fill it.",
  },
  heavy: {
    words: "Heavy",
    bars: 3,
    says: "The model’s window is nearly full: earlier messages will be left out soon. Another model, fewer files or fewer context items make room.",
  },
};

const parts: Record<ContextUse["parts"][number]["part"], { readonly words: string; readonly one?: string }> = {
  instructions: { words: "Instructions" },
  "context-items": { words: "Context items", one: "item" },
  files: { words: "Files", one: "file" },
  conversation: { words: "Conversation", one: "message" },
  memory: { words: "Memory", one: "text" },
  tools: { words: "Tools", one: "tool" },
};

/** How full the model's window is before the next question, in words and shape; it opens to what takes the room. */
export function ContextMeter(props: { readonly context: ContextQuery; readonly onContextItems?: () => void }) {
  const { use, failure, retry } = props.context;
  if (use === undefined && failure === undefined) return <span className="skeleton h-3 w-16" aria-hidden />;
  const level = use?.pressure == null ? undefined : levels[use.pressure];
  const words = level?.words ?? (use === undefined ? "Not known" : `${brief(use.usedTokens)} tokens`);
  return (
    <Popover.Root>
      <Popover.Trigger
        aria-label={`Context: ${words}`}
        className="inline-flex h-6.5 shrink-0 items-center gap-1.5 rounded-md px-2 text-sm font-medium text-muted hover:bg-hover hover:text-ink"
      >
        {level === undefined ? <CircleHelp size={13} aria-hidden className="text-faint" /> : <Bars bars={level.bars} />}
        <span className={classes(level !== undefined && "max-sm:sr-only")}>{words}</span>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner side="top" align="start" sideOffset={6} collisionPadding={8} className="z-50">
          <Popover.Popup className="floating max-h-(--available-height) w-84 max-w-[calc(100vw-24px)] overflow-y-auto rounded-lg border border-line bg-raised p-3.5 shadow-floating">
            <Popover.Title className="flex items-center gap-2 font-semibold">
              {level !== undefined && <Bars bars={level.bars} />}
              {level === undefined ? "What the next question takes" : `Context: ${words}`}
            </Popover.Title>
            {failure !== undefined && (
              <div className="mt-2">
                <FailureBox failure={failure} handlers={{ retry }} />
              </div>
            )}
            {use !== undefined && (
              <>
                <Popover.Description className="mt-0.5 text-sm text-muted">
                  {level?.says ??
                    "Nobody says how large this model’s window is, so it is not known how full it is. A question that does not fit is refused by the provider."}
                </Popover.Description>
                <Parts use={use} />
                {use.leftOut.length > 0 && (
                  <details className="mt-2.5 text-sm">
                    <summary className="rounded-sm text-draft">
                      {formatCount(use.leftOut.length, "file")} left out: the model is told{" "}
                      {use.leftOut.length === 1 ? "its name" : "their names"} alone
                    </summary>
                    <ul className="mt-1 max-h-32 overflow-y-auto font-mono text-xs">
                      {use.leftOut.slice(0, 200).map((path) => (
                        <li key={path} className="truncate">
                          {path}
                        </li>
                      ))}
                      {use.leftOut.length > 200 && <li>and {use.leftOut.length - 200} more</li>}
                    </ul>
                  </details>
                )}
                <p className="mt-2.5 text-xs text-faint">
                  Estimated on this machine for {use.model}. Nothing was sent.
                </p>
                {props.onContextItems !== undefined && (
                  <Button
                    size="small"
                    className="mt-2"
                    icon={<BookText size={13} aria-hidden />}
                    onClick={props.onContextItems}
                  >
                    Context items…
                  </Button>
                )}
              </>
            )}
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}

function Parts(props: { readonly use: ContextUse }) {
  const { use } = props;
  const whole = Math.max(use.contextTokens ?? 0, use.usedTokens, 1);
  return (
    <dl className="tabular mt-2.5 grid grid-cols-[1fr_auto] gap-x-3 gap-y-1 text-sm">
      {use.parts
        .filter(({ tokens, count }) => tokens > 0 || count > 0)
        .map(({ part, tokens, count }) => {
          const { words, one } = parts[part];
          return (
            <div key={part} className="contents">
              <dt>
                {words}
                {one !== undefined && <span className="text-faint"> · {formatCount(count, one)}</span>}
                <span aria-hidden className="mt-0.5 block h-1 overflow-hidden rounded-full bg-selected">
                  <span
                    className="block h-full min-w-px rounded-full bg-accent"
                    style={{ width: `${(100 * tokens) / whole}%` }}
                  />
                </span>
              </dt>
              <dd className="text-right text-muted">{formatNumber(tokens)}</dd>
            </div>
          );
        })}
      <div className="contents font-medium">
        <dt className="border-t border-line pt-1">
          {use.contextTokens === null
            ? "Together"
            : `Together, of ${formatNumber(use.contextTokens)} (${share(use.usedTokens, use.contextTokens)})`}
        </dt>
        <dd className="border-t border-line pt-1 text-right">{formatNumber(use.usedTokens)}</dd>
      </div>
    </dl>
  );
}

/** One to three bars, as of a signal: the number of full ones says it, not their colour. */
function Bars(props: { readonly bars: 1 | 2 | 3 }) {
  return (
    <span aria-hidden className="inline-flex h-3 items-end gap-0.5">
      {[1, 2, 3].map((bar) => (
        <span
          key={bar}
          style={{ height: `${bar * 4}px` }}
          className={classes(
            "w-1 rounded-[1px] border",
            bar > props.bars
              ? "border-line-strong"
              : props.bars === 3
                ? "border-draft bg-draft"
                : "border-muted bg-muted",
          )}
        />
      ))}
    </span>
  );
}

function share(used: number, whole: number): string {
  const percent = (100 * used) / whole;
  return percent > 0 && percent < 1 ? "under 1 %" : `${Math.round(percent)} %`;
}

/** `840`, `12k`, `1.2M`. */
function brief(tokens: number): string {
  if (tokens < 1000) return String(tokens);
  if (tokens < 1_000_000) return `${Math.round(tokens / 1000)}k`;
  return `${(tokens / 1_000_000).toFixed(1)}M`;
}
