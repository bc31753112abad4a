import type { FileOrigin, OutputOf, Operations, Workbench } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { ArrowRight, CircleCheck, CircleX } from "lucide-react";
import { useState, type ReactNode } from "react";
import { client, failureOf } from "../api/client.ts";
import { queryClient, refreshWorkbench } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Checkbox } from "../components/checkbox.tsx";
import { classes } from "../components/classes.ts";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatCount } from "../components/format.ts";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useAttempt } from "../components/use-attempt.ts";
import { originsOf } from "./origins.ts";

type Results = OutputOf<Operations["files.writeBack"]>["writeBackResults"];

/** Writes published files back to where they were copied from: names every place first, and what became of each after. */
export function WriteBackDialog(props: { readonly workbench: Workbench; readonly onClose: () => void }) {
  const { workbench, onClose } = props;
  const { workbenchId } = workbench;
  const origins = useQuery({ ...originsOf(workbench), refetchOnMount: "always" });
  const [overwrite, setOverwrite] = useState(false);
  const [results, setResults] = useState<Results>();
  const writing = useAttempt();
  const of = (...states: FileOrigin["state"][]) => origins.data?.filter(({ state }) => states.includes(state)) ?? [];
  const changedHere = of("changed-here");
  const conflicts = of("conflict");
  const missing = of("missing-there");
  const going = overwrite ? [...changedHere, ...conflicts, ...missing] : changedHere;
  const write = () =>
    writing.attempt(async () => {
      const { writeBackResults } = await client.call("files.writeBack", {
        workbenchId,
        workbenchPaths: going.map(({ path }) => path),
        overwrite,
      });
      setResults(writeBackResults);
      await Promise.all([
        queryClient.invalidateQueries({ queryKey: ["files.origins", { of: workbenchId }] }),
        refreshWorkbench(workbenchId),
      ]);
    });
  const refusals = results?.filter(({ outcome }) => outcome === "refused") ?? [];
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={
        results === undefined
          ? "Write files back?"
          : refusals.length === 0
            ? `${formatCount(results.length, "file")} written back`
            : `${results.length - refusals.length} of ${formatCount(results.length, "file")} written back`
      }
      {...(results === undefined && {
        description:
          "Published files are copied to where they came from on the machine that Benchtop runs on. What they replace is kept in a checkpoint.",
      })}
      footer={
        results === undefined ? (
          <>
            <Button onClick={onClose}>Cancel</Button>
            <Button
              tone={overwrite ? "danger" : "primary"}
              busy={writing.busy}
              disabledReason={
                workbench.hasDraft
                  ? "Publish or discard the Draft first."
                  : origins.isPending
                    ? "The places are being looked at."
                    : going.length === 0
                      ? "No file has to go anywhere."
                      : undefined
              }
              onClick={() => void write()}
            >
              {going.length === 0 ? "Write back" : `Write back ${formatCount(going.length, "file")}`}
            </Button>
          </>
        ) : (
          <Button tone="primary" onClick={onClose}>
            Done
          </Button>
        )
      }
    >
      {results !== undefined ? (
        <Outcomes results={results} origins={origins.data ?? []} />
      ) : origins.isPending ? (
        <SkeletonRows count={3} label="Looking at the places" />
      ) : origins.isError ? (
        <ErrorNotice
          failure={failureOf(origins.error)}
          handlers={{ retry: async () => void (await origins.refetch()) }}
        />
      ) : origins.data.length === 0 ? (
        <p className="text-muted">
          No file of this workbench was copied from a folder of the machine that Benchtop runs on. Uploaded files have
          no place to go back to: download them instead.
        </p>
      ) : (
        <div className="grid max-h-[50vh] gap-3 overflow-y-auto" tabIndex={0} role="region" aria-label="Places">
          <Places title="Will be written" origins={changedHere} />
          {changedHere.length === 0 && (
            <p className="text-muted">No published file differs from its place only because it was changed here.</p>
          )}
          <Places
            title="Changed there, too"
            note="Somebody changed these since they were copied. Writing over them replaces that."
            origins={conflicts}
            warn
          />
          <Places title="Not there any more" note="Nothing lies in these places now." origins={missing} warn />
          {conflicts.length + missing.length > 0 && (
            <Checkbox
              label={
                conflicts.length > 0
                  ? `Overwrite what was changed there (${formatCount(conflicts.length, "file")})`
                  : `Write ${formatCount(missing.length, "file")} that ${missing.length === 1 ? "is" : "are"} not there any more`
              }
              note={
                conflicts.length > 0 && missing.length > 0
                  ? `This also writes ${formatCount(missing.length, "file")} that ${missing.length === 1 ? "is" : "are"} not there any more.`
                  : "What is replaced is kept in a checkpoint."
              }
              checked={overwrite}
              onChange={setOverwrite}
            />
          )}
          <Places title="Newer there" note="Left alone: nothing changed here." origins={of("changed-there")} />
          <Places title="Removed here" note="Left alone there." origins={of("removed-here")} />
          {of("same").length > 0 && (
            <p className="text-sm text-muted">{formatCount(of("same").length, "file")} the same in both places.</p>
          )}
        </div>
      )}
      {writing.failure !== undefined && (
        <div className="mt-3">
          <ErrorNotice failure={writing.failure} title="Nothing was written back." handlers={{ retry: write }} />
        </div>
      )}
    </Dialog>
  );
}

const shown = 200;

function Places(props: {
  readonly title: string;
  readonly note?: ReactNode;
  readonly origins: readonly FileOrigin[];
  readonly warn?: boolean;
}) {
  const { title, note, origins, warn } = props;
  if (origins.length === 0) return null;
  return (
    <section>
      <h3 className={classes("tabular text-sm font-semibold", warn ? "text-draft" : "text-muted")}>
        {title} <span className="font-medium text-faint">{origins.length}</span>
      </h3>
      {note !== undefined && <p className="text-sm text-muted">{note}</p>}
      <ul className="mt-1 font-mono text-sm">
        {origins.slice(0, shown).map(({ path, hostPath }) => (
          <li key={path} className="flex flex-wrap items-baseline gap-x-1.5 py-0.5">
            <span className="break-all">{path}</span>
            <ArrowRight size={11} aria-label="to" className="shrink-0 self-center text-faint" />
            <span className="break-all text-muted">{hostPath}</span>
          </li>
        ))}
        {origins.length > shown && (
          <li className="font-sans text-muted">and {formatCount(origins.length - shown, "more file")}</li>
        )}
      </ul>
    </section>
  );
}

function Outcomes(props: { readonly results: Results; readonly origins: readonly FileOrigin[] }) {
  const places = new Map(props.origins.map(({ path, hostPath }) => [path, hostPath]));
  return (
    <ul className="grid max-h-[50vh] gap-1.5 overflow-y-auto text-sm" tabIndex={0} aria-label="Results">
      {props.results.map(({ path, outcome, code, reason }) => (
        <li key={path} className="flex gap-2">
          {outcome === "done" ? (
            <CircleCheck size={14} aria-label="Written" className="mt-0.5 shrink-0 text-good" />
          ) : (
            <CircleX size={14} aria-label="Not written" className="mt-0.5 shrink-0 text-bad" />
          )}
          <span className="min-w-0">
            <span className="font-mono break-all">{places.get(path) ?? path}</span>
            {reason !== undefined && <span className="block text-muted">{reason}</span>}
            {code !== undefined && <span className="block font-mono text-xs text-faint">{code}</span>}
          </span>
        </li>
      ))}
    </ul>
  );
}
