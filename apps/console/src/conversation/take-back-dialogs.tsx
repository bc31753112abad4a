import type { ConversationEntry, OutputOf, Operations } from "@benchtop/operations";
import { useState } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { Button } from "../components/button.tsx";
import { Checkbox } from "../components/checkbox.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatCount } from "../components/format.ts";
import { ChangeMark } from "../files/change-mark.tsx";
import { ModelPicker } from "../providers/model-picker.tsx";
import { takenBack, type TakenBack } from "./entry.ts";

/** Going back to before a message: says exactly what goes, and asks once more where a person's own work would go with it. */
export function UndoDialog(props: {
  readonly workbenchId: string;
  readonly entry: ConversationEntry;
  readonly entries: readonly ConversationEntry[];
  readonly onRestore?: (checkpointId: string) => void;
  readonly onUndone: (undone: OutputOf<Operations["workshop.undoToMessage"]>) => Promise<void>;
  readonly onClose: () => void;
}) {
  const { workbenchId, entry, onRestore } = props;
  const gone = takenBack(props.entries, entry.runId);
  const [failure, setFailure] = useState<Failure>();
  const [busy, setBusy] = useState(false);
  const [loseEdits, setLoseEdits] = useState(false);
  const edits = editsIn(failure);
  const undo = async () => {
    setBusy(true);
    try {
      const undone = await client.call("workshop.undoToMessage", {
        workbenchId,
        runId: entry.runId,
        discardEdits: loseEdits,
      });
      await props.onUndone(undone);
    } catch (thrown) {
      setFailure(failureOf(thrown));
      setBusy(false);
    }
  };
  const checkpointId = failure?.detail?.["checkpointId"] ?? gone.checkpointId;
  const past = failure?.error_code === "CONFLICT_PUBLISHED_CHANGED";
  return (
    <Dialog
      open
      onClose={props.onClose}
      title="Undo to here?"
      description="The conversation and the Draft go back to before this message. The published files stay as they are, and the journals of the runs are kept."
      footer={
        <>
          <Button onClick={props.onClose}>Keep everything</Button>
          {!past && (
            <Button
              tone="danger"
              busy={busy}
              disabledReason={edits !== undefined && !loseEdits ? "Tick that your own changes may go, too." : undefined}
              onClick={() => void undo()}
            >
              Undo
            </Button>
          )}
        </>
      }
    >
      <blockquote className="max-h-24 overflow-y-auto rounded-lg border border-line bg-sunken px-3 py-2 break-words whitespace-pre-wrap">
        {entry.task}
      </blockquote>
      <WhatGoes gone={gone} />
      {edits !== undefined && (
        <div className="mt-3 rounded-lg border border-bad-line bg-bad-soft px-2 py-1.5">
          <Checkbox
            label={`Also lose ${formatCount(edits.count, "file")} that ${edits.count === 1 ? "was" : "were"} changed by hand since`}
            note={edits.paths.length === 0 ? undefined : someOf(edits.paths)}
            checked={loseEdits}
            onChange={setLoseEdits}
          />
        </div>
      )}
      {failure !== undefined && edits === undefined && (
        <div className="mt-3">
          <ErrorNotice
            failure={failure}
            handlers={{
              retry: undo,
              ...(typeof checkpointId === "string" &&
                onRestore !== undefined && {
                  restore_checkpoint: () => {
                    props.onClose();
                    onRestore(checkpointId);
                  },
                }),
            }}
          />
        </div>
      )}
      <p className="mt-3 text-sm text-muted">
        Afterwards the message is in the field again, so that you can say it otherwise.
      </p>
    </Dialog>
  );
}

/** Asking again: the newest answer goes, with what it changed in the Draft. */
export function RegenerateDialog(props: {
  readonly entry: ConversationEntry;
  readonly entries: readonly ConversationEntry[];
  readonly model: string | undefined;
  /** Whether another model is to be chosen here. */
  readonly choosing: boolean;
  readonly onRegenerate: (model: string | undefined) => void;
  readonly onClose: () => void;
}) {
  const { entry, choosing } = props;
  const [model, setModel] = useState(choosing ? undefined : props.model);
  const [pickerOpen, setPickerOpen] = useState(false);
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={choosing ? "Ask this again with another model" : "Ask this again?"}
      description="The newest answer is taken out of the conversation, with what it changed in the Draft, and the same question is asked again."
      footer={
        <>
          <Button onClick={props.onClose}>Cancel</Button>
          <Button
            tone="primary"
            autoFocus={!choosing}
            disabledReason={choosing && model === undefined ? "Choose a model first." : undefined}
            onClick={() => props.onRegenerate(model)}
          >
            Regenerate
          </Button>
        </>
      }
    >
      <blockquote className="max-h-24 overflow-y-auto rounded-lg border border-line bg-sunken px-3 py-2 break-words whitespace-pre-wrap">
        {entry.task}
      </blockquote>
      {choosing && (
        <div className="mt-3 flex flex-wrap items-center gap-2">
          <span className="text-sm text-muted">
            Asked of <span className="font-mono text-xs text-ink">{entry.model ?? "no model"}</span>; now of
          </span>
          <ModelPicker value={model} onChange={setModel} open={pickerOpen} onOpenChange={setPickerOpen} />
        </div>
      )}
      <WhatGoes gone={takenBack(props.entries, entry.runId)} />
    </Dialog>
  );
}

function WhatGoes(props: { readonly gone: TakenBack }) {
  const { turns, files } = props.gone;
  const others = turns.length - 1;
  return (
    <div className="mt-3 flex flex-col gap-2">
      <p>
        What goes: this message with its answer
        {others > 0 && `, and the ${formatCount(others, "turn")} after it`}
        {files.size === 0
          ? ". No file of the Draft changed since."
          : `, and the changes to ${formatCount(files.size, "file")} of the Draft:`}
      </p>
      {files.size > 0 && (
        <ul
          tabIndex={0}
          aria-label="Changes that go"
          className="max-h-40 overflow-y-auto rounded-lg border border-line text-sm"
        >
          {[...files].slice(0, 200).map(([path, change]) => (
            <li key={path} className="flex items-center gap-2 border-b border-line px-3 py-1 last:border-b-0">
              <ChangeMark change={change === "reverted" ? "modified" : change} />
              <span className="min-w-0 flex-1 truncate font-mono text-xs leading-5">{path}</span>
            </li>
          ))}
          {files.size > 200 && <li className="px-3 py-1 text-muted">and {files.size - 200} more</li>}
        </ul>
      )}
    </div>
  );
}

/** What a refusal says of changes that were made by hand: they are lost only when told. */
export function editsIn(
  failure: Failure | undefined,
): { readonly count: number; readonly paths: readonly string[] } | undefined {
  if (failure?.error_code !== "VALIDATION_FAILED") return undefined;
  const { edits, paths } = failure.detail ?? {};
  if (typeof edits !== "number" || edits === 0) return undefined;
  return { count: edits, paths: Array.isArray(paths) ? (paths as readonly string[]) : [] };
}

export function someOf(paths: readonly string[]): string {
  return paths.length <= 4 ? paths.join(", ") : `${paths.slice(0, 3).join(", ")} and ${paths.length - 3} more`;
}
