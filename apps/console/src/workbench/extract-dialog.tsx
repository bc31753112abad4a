import type { Workbench, OutputOf, Operations } from "@benchtop/operations";
import { Check, TriangleAlert } from "lucide-react";
import { useState, type FormEvent } from "react";
import { client } from "../api/client.ts";
import { Button } from "../components/button.tsx";
import { Checkbox } from "../components/checkbox.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { TextField } from "../components/field.tsx";
import { formatBytes, formatCount } from "../components/format.ts";
import { useAttempt } from "../components/use-attempt.ts";

type Results = OutputOf<Operations["files.extract"]>["extractResults"];

/** Copies the published files to a folder of the daemon's machine, and says of each that was left out why. */
export function ExtractDialog(props: { readonly workbench: Workbench; readonly onClose: () => void }) {
  const { workbench, onClose } = props;
  const [folder, setFolder] = useState("");
  const [overwrite, setOverwrite] = useState(false);
  const [results, setResults] = useState<Results>();
  const { busy, failure, attempt } = useAttempt();
  const { workbenchId } = workbench;
  const extract = () =>
    attempt(async () => {
      setResults(undefined);
      const destinationDir = folder.trim();
      setResults((await client.call("files.extract", { workbenchId, destinationDir, overwrite })).extractResults);
    });
  const missing = folder.trim() === "" ? "Write the folder first." : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (missing === undefined && !busy) void extract();
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title="Copy the published files out"
      description={`${formatCount(workbench.fileCount, "file")}, ${formatBytes(workbench.totalBytes)}, go to a folder of the machine that Benchtop runs on. What is here stays as it is.`}
      footer={
        <>
          <Button onClick={onClose}>{results === undefined ? "Cancel" : "Close"}</Button>
          <Button tone="primary" type="submit" form="extract" busy={busy} disabledReason={missing}>
            Copy
          </Button>
        </>
      }
    >
      <form id="extract" onSubmit={submit} className="flex flex-col gap-3">
        <TextField
          label="Folder"
          autoFocus
          autoComplete="off"
          spellCheck={false}
          className="font-mono"
          placeholder="/home/me/budget"
          hint="A whole path. The folder is made if it is not there."
          maxLength={8000}
          value={folder}
          onChange={(event) => setFolder(event.target.value)}
        />
        <Checkbox
          label="Replace files that are there"
          note="Otherwise they are left as they are, and listed."
          checked={overwrite}
          onChange={setOverwrite}
        />
        {results !== undefined && <Outcome results={results} />}
        {failure !== undefined && <ErrorNotice failure={failure} handlers={{ retry: extract }} />}
      </form>
    </Dialog>
  );
}

function Outcome(props: { readonly results: Results }) {
  const refused = props.results.filter(({ outcome }) => outcome === "refused");
  const done = props.results.length - refused.length;
  return (
    <div role="status" className="flex flex-col gap-2">
      <p className="flex items-center gap-2">
        {refused.length === 0 ? (
          <Check size={14} aria-hidden className="text-good" />
        ) : (
          <TriangleAlert size={14} aria-hidden className="text-draft" />
        )}
        {formatCount(done, "file")} copied
        {refused.length > 0 && `, ${refused.length} left out:`}
      </p>
      {refused.length > 0 && (
        <ul
          tabIndex={0}
          aria-label="Files that were left out"
          className="max-h-40 overflow-y-auto rounded-lg border border-line text-sm"
        >
          {refused.slice(0, 200).map(({ path, reason, code }) => (
            <li key={path} className="border-b border-line px-3 py-1 last:border-b-0">
              <span className="block truncate font-mono text-xs leading-5">{path}</span>
              <span className="text-muted">{reason ?? code}</span>
            </li>
          ))}
          {refused.length > 200 && <li className="px-3 py-1 text-muted">and {refused.length - 200} more</li>}
        </ul>
      )}
    </div>
  );
}
