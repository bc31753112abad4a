import type { DocumentDiff } from "@benchtop/operations";
import { ArrowDown, ArrowUp, SkipForward } from "lucide-react";
import { useEffect, useMemo, useRef, useState, type Ref } from "react";
import { Button } from "../../components/button.tsx";
import { classes } from "../../components/classes.ts";
import { formatBytes } from "../../components/format.ts";
import { useChangeHandle, type ChangeHandle } from "./steps.ts";

type Bytes = Extract<DocumentDiff, { kind: "bytes" }>;
type Row = Bytes["rows"][number];

const perRow = 16;

/** A file as bytes: what is known about it, and both sides in hexadecimal with the bytes that differ marked. */
export function BytesView(props: {
  readonly diff: Bytes;
  readonly handle: Ref<ChangeHandle>;
  /** Another part is on its way. */
  readonly busy: boolean;
  readonly onOffset: (offset: number) => void;
}) {
  const { diff, handle, busy, onOffset } = props;
  const { rows, metadata, nextDifference, offset } = diff;
  const scroller = useRef<HTMLDivElement>(null);
  const [wanted, setWanted] = useState("");
  const [been, setBeen] = useState<readonly number[]>([]);
  const window = rows.length * perRow;
  const longest = Math.max(diff.bytesBefore ?? 0, diff.bytesAfter ?? 0);
  // Where differences begin in what is shown; `at` is the one that was gone to.
  const starts = useMemo(
    () =>
      rows.flatMap((row, index) => {
        const before = rows[index - 1];
        return differs(row) && (before === undefined || !differs(before)) ? [row.offset] : [];
      }),
    [rows],
  );
  const [at, setAt] = useState(-1);
  const show = (start: number) => {
    setAt(start);
    scroller.current?.querySelector(`[data-offset="${start}"]`)?.scrollIntoView({ block: "center" });
  };
  const arriving = useRef(false);
  useEffect(() => {
    if (!arriving.current || starts[0] === undefined) return;
    arriving.current = false;
    show(starts[0]);
  }, [starts]);
  const further = starts.find((start) => start > at);
  const go = (to: number) => {
    setBeen([...been, offset]);
    setAt(-1);
    onOffset(Math.max(0, to - (to % perRow)));
    scroller.current?.scrollTo({ top: 0 });
  };
  useChangeHandle(handle, {
    step: (by) => (by === 1 ? next() : back()),
  });
  const next = () => {
    if (further !== undefined) show(further);
    else if (nextDifference !== null) {
      arriving.current = true;
      go(nextDifference);
    }
  };
  const back = () => {
    const nearer = starts.findLast((start) => start < at);
    const last = been.at(-1);
    if (nearer !== undefined) show(nearer);
    else if (last !== undefined) {
      setBeen(been.slice(0, -1));
      setAt(-1);
      onOffset(last);
    }
  };
  const jump = () => {
    const to = /^(0x)?[0-9a-f]+$/i.test(wanted.trim())
      ? Number.parseInt(wanted.trim().replace(/^0x/i, ""), 16)
      : Number.NaN;
    if (Number.isSafeInteger(to) && to < longest) go(to);
  };
  return (
    <div
      ref={scroller}
      tabIndex={0}
      role="region"
      aria-label={`Bytes of ${diff.path}`}
      className="min-h-0 flex-1 overflow-auto focus-visible:-outline-offset-2"
    >
      {metadata.length > 0 && (
        <div className="overflow-x-auto px-3 pt-3">
          <table className="tabular text-sm">
            <caption className="sr-only">What is known about this file</caption>
            <thead>
              <tr className="text-left text-xs text-muted">
                <th scope="col" className="pr-4 pb-1 font-medium">
                  Fact
                </th>
                <th scope="col" className="pr-4 pb-1 font-medium">
                  Before
                </th>
                <th scope="col" className="pb-1 font-medium">
                  After
                </th>
              </tr>
            </thead>
            <tbody>
              {metadata.map(({ name, before, after }) => {
                const differs = before !== after;
                return (
                  <tr key={name} className="align-baseline">
                    <th scope="row" className="pr-4 text-left font-medium whitespace-nowrap">
                      {name}
                      {differs && <span className="sr-only"> (differs)</span>}
                    </th>
                    <td
                      className={classes("pr-4 wrap-anywhere", differs && before !== null && "text-bad line-through")}
                    >
                      {before ?? <span className="text-faint">none</span>}
                    </td>
                    <td className={classes("wrap-anywhere", differs && after !== null && "font-medium text-good")}>
                      {after ?? <span className="text-faint">none</span>}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
      <div className="sticky top-0 left-0 z-10 flex flex-wrap items-center gap-1.5 bg-surface px-3 py-2">
        <Button
          size="small"
          icon={<SkipForward size={13} aria-hidden />}
          tip="n"
          busy={busy}
          disabledReason={nextDifference === null && further === undefined ? "No byte after these differs." : undefined}
          onClick={next}
        >
          Next difference
        </Button>
        <Button
          size="small"
          tone="quiet"
          icon={<ArrowUp size={13} aria-hidden />}
          disabledReason={offset === 0 ? "These are the first bytes." : undefined}
          onClick={() => go(Math.max(0, offset - window))}
        >
          Earlier
        </Button>
        <Button
          size="small"
          tone="quiet"
          icon={<ArrowDown size={13} aria-hidden />}
          disabledReason={offset + window >= longest ? "These are the last bytes." : undefined}
          onClick={() => go(offset + window)}
        >
          Later
        </Button>
        <form
          className="ml-auto flex items-center gap-1.5 text-sm text-muted"
          onSubmit={(event) => {
            event.preventDefault();
            jump();
          }}
        >
          <label htmlFor="bytes-offset">Go to</label>
          <input
            id="bytes-offset"
            className="field h-6.5! w-24! font-mono text-sm"
            placeholder="0x1a0"
            value={wanted}
            onChange={(event) => setWanted(event.target.value)}
          />
        </form>
        <span className="tabular w-full text-xs text-muted">
          Bytes {hex(offset)} to {hex(Math.max(offset, Math.min(longest, offset + window) - 1))} of{" "}
          {diff.bytesBefore !== null && diff.bytesAfter !== null && diff.bytesBefore !== diff.bytesAfter
            ? `${formatBytes(diff.bytesBefore)} before, ${formatBytes(diff.bytesAfter)} after`
            : formatBytes(longest)}
        </span>
      </div>
      {rows.length === 0 ? (
        <p className="p-6 text-center text-muted">
          {longest === 0 ? "The file is empty." : "No byte differs from here on."}
        </p>
      ) : (
        <table className="min-w-max font-mono text-sm leading-5" aria-label="Bytes in hexadecimal">
          <thead className="sr-only">
            <tr>
              <th scope="col">Offset</th>
              <th scope="col">Side</th>
              <th scope="col">Bytes</th>
              <th scope="col">Text</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <HexRow key={row.offset} row={row} alone={diff.change !== "modified"} current={row.offset === at} />
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

function differs({ before, after }: Row): boolean {
  return before !== after;
}

/** One line where both sides agree, and one below the other where they do not. */
function HexRow(props: { readonly row: Row; readonly alone: boolean; readonly current: boolean }) {
  const { row, alone, current } = props;
  const { before, after, offset } = row;
  if (alone || before === after)
    return (
      <HexLine
        row={row}
        current={current}
        offset={offset}
        bytes={after ?? before ?? ""}
        side={undefined}
        other={undefined}
      />
    );
  return (
    <>
      {before !== null && (
        <HexLine row={row} current={current} offset={offset} bytes={before} side="before" other={after ?? ""} />
      )}
      {after !== null && (
        <HexLine
          row={row}
          current={current}
          offset={before === null ? offset : undefined}
          bytes={after}
          side="after"
          other={before ?? ""}
        />
      )}
    </>
  );
}

function HexLine(props: {
  readonly row: Row;
  readonly current: boolean;
  readonly offset: number | undefined;
  readonly bytes: string;
  readonly side: "before" | "after" | undefined;
  readonly other: string | undefined;
}) {
  const { bytes, side, other } = props;
  const pairs = bytes.match(/../g) ?? [];
  const others = other?.match(/../g) ?? [];
  const mark =
    side === "before"
      ? "bg-diff-removed-mark font-bold line-through decoration-bad"
      : "bg-diff-added-mark font-bold underline decoration-good";
  const isOther = (index: number) => side !== undefined && others[index] !== pairs[index];
  return (
    <tr
      data-offset={side === "after" && props.offset === undefined ? undefined : props.row.offset}
      className={classes(
        side === "before" && "bg-diff-removed",
        side === "after" && "bg-diff-added",
        props.current && "shadow-[inset_3px_0_0_var(--accent)]",
      )}
    >
      <td className="w-22 pr-3 pl-3 text-right text-faint">{props.offset === undefined ? "" : hex(props.offset)}</td>
      <td className="w-5 text-center text-muted">
        {side !== undefined && (
          <>
            <span aria-hidden>{side === "before" ? "−" : "+"}</span>
            <span className="sr-only">{side}</span>
          </>
        )}
      </td>
      <td className="pr-4 whitespace-pre">
        {pairs.map((pair, index) => (
          <span key={index}>
            <span className={classes(isOther(index) && `rounded-xs ${mark}`)}>{pair}</span>
            {index === 7 ? "  " : " "}
          </span>
        ))}
      </td>
      <td className="pr-3 whitespace-pre text-muted" aria-hidden>
        {pairs.map((pair, index) => (
          <span key={index} className={classes(isOther(index) && `rounded-xs text-ink ${mark}`)}>
            {printable(pair)}
          </span>
        ))}
      </td>
    </tr>
  );
}

function printable(pair: string): string {
  const code = Number.parseInt(pair, 16);
  return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : "·";
}

function hex(offset: number): string {
  return `0x${offset.toString(16).padStart(6, "0")}`;
}
