import { useQuery } from "@tanstack/react-query";
import { useBlocker } from "@tanstack/react-router";
import { Save } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { client, failureOf, isCode, type Failure } from "../../api/client.ts";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { ErrorNotice } from "../../components/error-notice.tsx";
import { SkeletonRows } from "../../components/skeleton.tsx";
import { refreshReview } from "../decisions.ts";
import { closeText, decodeText, openText, type EditableText } from "./line-ends.ts";
import { TextEditor } from "./text-editor.tsx";

/** A longer file is replaced, not edited: a text field becomes slow. */
export const longestEdited = 2_000_000;

interface Opened extends EditableText {
  /** Of the bytes that were opened: what is saved replaces these and no others. */
  readonly sha256: string;
}

/** Edits a text file in place; what is saved goes into the Draft. */
export function EditFile(props: {
  readonly workbenchId: string;
  readonly path: string;
  readonly side: "published" | "draft";
  /** Of the file as it is listed. */
  readonly sha256: string;
  readonly onClose: () => void;
}) {
  const { workbenchId, path, side, sha256 } = props;
  const opened = useQuery({
    queryKey: ["edit", { workbenchId, path, side, sha256 }],
    queryFn: async (): Promise<Opened | null> => {
      const file = await client.download({ workbenchId, path, side });
      const text = decodeText(await file.arrayBuffer());
      return text === undefined ? null : { ...openText(text), sha256 };
    },
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
  // What was opened stays open while the list below it moves on.
  const [held, setHeld] = useState<Opened>();
  if (held === undefined && opened.data != null) setHeld(opened.data);
  if (held === undefined && opened.isError) {
    return (
      <div className="p-3">
        <ErrorNotice
          failure={failureOf(opened.error)}
          handlers={{ retry: async () => void (await opened.refetch()) }}
        />
        <Button className="mt-3" onClick={props.onClose}>
          Back
        </Button>
      </div>
    );
  }
  if (held === undefined && opened.data === null) {
    return (
      <div className="p-6 text-center text-muted">
        <p>This file is no UTF-8 text: editing it here would change its other bytes.</p>
        <Button className="mt-3" onClick={props.onClose}>
          Back
        </Button>
      </div>
    );
  }
  if (held === undefined) return <SkeletonRows count={12} label={`Opening ${path}`} />;
  return <Editing key={held.sha256} {...props} opened={held} onReload={() => setHeld(undefined)} />;
}

function Editing(props: {
  readonly workbenchId: string;
  readonly path: string;
  readonly sha256: string;
  readonly opened: Opened;
  readonly onClose: () => void;
  /** Opens the file as it is now. */
  readonly onReload: () => void;
}) {
  const { workbenchId, path, opened } = props;
  const [text, setText] = useState(opened.text);
  const [saved, setSaved] = useState({ text: opened.text, sha256: opened.sha256 });
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const [conflict, setConflict] = useState(false);
  const [leaving, setLeaving] = useState(false);
  const dirty = text !== saved.text;
  const blocker = useBlocker({ shouldBlockFn: () => dirty, withResolver: true, enableBeforeUnload: () => dirty });

  /** Asked for while another save was on its way. */
  const again = useRef(false);
  const save = async (over = saved.sha256): Promise<void> => {
    if (busy) {
      again.current = true;
      return;
    }
    setBusy(true);
    setFailure(undefined);
    setConflict(false);
    try {
      const { change } = await client.call("draft.edit", {
        workbenchId,
        path,
        content: closeText(text, opened),
        sha256: over,
      });
      // Without a change the file is again what is published.
      setSaved({ text, sha256: change?.sha256After ?? over });
      // The lists follow; the next save does not wait for them.
      void refreshReview(workbenchId);
      if (change === null) props.onClose();
    } catch (thrown) {
      again.current = false;
      // What is offered then is about the file as it is now.
      await refreshReview(workbenchId);
      setFailure(failureOf(thrown));
      setConflict(isCode(thrown, "CONFLICT_PUBLISHED_CHANGED"));
    } finally {
      setBusy(false);
    }
  };
  useEffect(() => {
    if (busy || !again.current) return;
    again.current = false;
    if (dirty) void save();
  });
  const close = () => (dirty ? setLeaving(true) : props.onClose());
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex shrink-0 flex-wrap items-center gap-2 border-b border-line px-3 py-1.5">
        <span role="status" className="min-w-0 flex-1 truncate text-sm text-muted">
          {dirty ? "Not saved yet" : saved.sha256 === opened.sha256 ? "Editing" : "Saved into the Draft"}
          {opened.mixed && " · lines end in different ways; saving makes them alike"}
        </span>
        <Button size="small" tone="quiet" onClick={close}>
          Close
        </Button>
        <Button
          size="small"
          tone="primary"
          busy={busy}
          icon={<Save size={13} aria-hidden />}
          tip="Ctrl S"
          disabledReason={dirty ? undefined : "Nothing has changed since it was saved."}
          onClick={() => void save()}
        >
          Save
        </Button>
      </div>
      {failure !== undefined && (
        <div className="border-b border-line p-2">
          <ErrorNotice
            failure={failure}
            title={conflict ? "The file has changed since you opened it. Nothing was saved." : "Nothing was saved."}
            handlers={{ retry: save }}
          >
            {conflict && (
              <div className="mt-2 flex flex-wrap gap-1.5">
                <Button size="small" onClick={props.onReload}>
                  Show what is there now
                </Button>
                <Button size="small" tone="danger" onClick={() => void save(props.sha256)}>
                  Save mine over it
                </Button>
              </div>
            )}
          </ErrorNotice>
        </div>
      )}
      <TextEditor
        value={text}
        label={`Text of ${path}`}
        autoFocus
        onChange={setText}
        onSave={() => {
          if (dirty) void save();
        }}
      />
      {(leaving || blocker.status === "blocked") && (
        <Dialog
          open
          onClose={() => {
            setLeaving(false);
            blocker.reset?.();
          }}
          title="Leave without saving?"
          description={`What you changed in ${path.slice(path.lastIndexOf("/") + 1)} since it was saved is lost.`}
          footer={
            <>
              <Button
                onClick={() => {
                  setLeaving(false);
                  blocker.reset?.();
                }}
              >
                Keep editing
              </Button>
              <Button
                tone="danger"
                onClick={() => {
                  if (blocker.status === "blocked") blocker.proceed();
                  else props.onClose();
                }}
              >
                Leave
              </Button>
            </>
          }
        />
      )}
    </div>
  );
}
