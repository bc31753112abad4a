import type { ModelStorage, RuntimeStatus } from "@benchtop/operations";
import { HardDrive, MemoryStick } from "lucide-react";
import type { ReactNode } from "react";
import { formatBytes, formatCount } from "../components/format.ts";
import { Meter } from "../components/meter.tsx";

/** From here on “nearly full” is said. */
const tightShare = 0.85;

/** What loaded models take of the memory, and what else does. */
export function MemoryMeter(props: { readonly status: RuntimeStatus | undefined }) {
  const { status } = props;
  if (status === undefined) return <MeterCard icon={<MemoryStick size={14} aria-hidden />} title="Memory" />;
  const { usedBytes, limitBytes, freeBytes, totalBytes } = status.memory;
  const others = Math.max(0, totalBytes - freeBytes - usedBytes);
  const loaded = status.items.filter(({ state }) => state !== "failed").length;
  const tight = usedBytes >= tightShare * limitBytes;
  const says = `Loaded models take ${formatBytes(usedBytes)} of at most ${formatBytes(limitBytes)}; ${formatBytes(freeBytes)} of the machine’s ${formatBytes(totalBytes)} are free`;
  return (
    <MeterCard
      icon={<MemoryStick size={14} aria-hidden />}
      title="Memory"
      note={
        <>
          {formatCount(loaded, "model")} loaded
          {status.waiting > 0 && (
            <span className="text-draft"> · {formatCount(status.waiting, "request")} waiting</span>
          )}
        </>
      }
    >
      <Meter
        label="Memory"
        says={says}
        total={totalBytes}
        limit={limitBytes}
        tight={tight}
        parts={[
          { tone: "own", value: usedBytes },
          { tone: "other", value: others },
        ]}
      />
      <MeterWords
        own={`${formatBytes(usedBytes)} of at most ${formatBytes(limitBytes)}`}
        tight={tight}
        rest={`${formatBytes(freeBytes)} of the machine’s ${formatBytes(totalBytes)} free`}
      />
    </MeterCard>
  );
}

/** What the installed models take of the disk. */
export function DiskMeter(props: { readonly storage: ModelStorage | undefined }) {
  const { storage } = props;
  if (storage === undefined) return <MeterCard icon={<HardDrive size={14} aria-hidden />} title="Disk" />;
  const { usedBytes, quotaBytes, freeBytes, suggestions } = storage;
  const room = quotaBytes ?? usedBytes + freeBytes;
  const tight = usedBytes >= tightShare * room;
  const least = suggestions[0];
  const allowed = quotaBytes === null ? "no limit set" : `at most ${formatBytes(quotaBytes)}`;
  const says = `Models take ${formatBytes(usedBytes)}, ${allowed}; ${formatBytes(freeBytes)} of the disk are free`;
  return (
    <MeterCard
      icon={<HardDrive size={14} aria-hidden />}
      title="Disk"
      note={tight && least !== undefined ? `longest unused: ${least.name}, ${formatBytes(least.bytes)}` : undefined}
    >
      <Meter label="Disk" says={says} total={room} tight={tight} parts={[{ tone: "own", value: usedBytes }]} />
      <MeterWords
        own={
          quotaBytes === null
            ? `${formatBytes(usedBytes)}, no limit set`
            : `${formatBytes(usedBytes)} of at most ${formatBytes(quotaBytes)}`
        }
        tight={tight}
        rest={`${formatBytes(freeBytes)} of the disk free`}
      />
    </MeterCard>
  );
}

function MeterCard(props: {
  readonly icon: ReactNode;
  readonly title: string;
  readonly note?: ReactNode;
  readonly children?: ReactNode;
}) {
  return (
    <section
      aria-label={props.title}
      className="tabular rounded-lg border border-line bg-raised px-3.5 py-3 shadow-raised"
    >
      <div className="mb-2 flex items-center gap-2">
        <span className="text-faint">{props.icon}</span>
        <h2 className="font-semibold">{props.title}</h2>
        <span className="ml-auto min-w-0 truncate text-sm text-muted">{props.note}</span>
      </div>
      {props.children ?? (
        <div className="flex flex-col gap-2">
          <span className="skeleton h-2 w-full" />
          <span className="skeleton h-3 w-1/2" />
        </div>
      )}
    </section>
  );
}

function MeterWords(props: { readonly own: string; readonly tight: boolean; readonly rest: string }) {
  return (
    <p className="mt-2 flex flex-wrap justify-between gap-x-4 text-sm">
      <span>
        <span className="font-medium">Models</span> {props.own}
        {props.tight && <span className="font-medium text-draft"> · nearly full</span>}
      </span>
      <span className="text-muted">{props.rest}</span>
    </p>
  );
}
