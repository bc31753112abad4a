import { useState } from "react";
import { client, failureOf, type Failure } from "../../api/client.ts";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { ErrorNotice } from "../../components/error-notice.tsx";
import { TextField } from "../../components/field.tsx";
import { refreshReview } from "../decisions.ts";
import { TextEditor } from "./text-editor.tsx";

/** Writes a new file by hand; it goes into the Draft like everything that is not published yet. */
export function NewFileDialog(props: {
  readonly workbenchId: string;
  readonly onClose: () => void;
  readonly onCreated: (path: string) => void;
}) {
  const { workbenchId, onClose } = props;
  const [path, setPath] = useState("");
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const create = async () => {
    if (busy || path.trim() === "") return;
    setBusy(true);
    setFailure(undefined);
    try {
      const { change } = await client.call("draft.edit", {
        workbenchId,
        path: path.trim(),
        content: text === "" || text.endsWith("\n") ? text : `${text}\n`,
        sha256: null,
      });
      await refreshReview(workbenchId);
      props.onCreated(change?.path ?? path.trim());
    } catch (thrown) {
      setFailure(failureOf(thrown));
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      staysOpen={text !== ""}
      title="New file"
      description="It goes into the Draft. It becomes real when you publish."
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            tone="primary"
            busy={busy}
            disabledReason={path.trim() === "" ? "Give the file a name first." : undefined}
            onClick={() => void create()}
          >
            Create
          </Button>
        </>
      }
    >
      <form
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          void create();
        }}
      >
        <TextField
          label="Name"
          placeholder="notes/ideas.md"
          hint="With folders, where it should lie in one."
          autoFocus
          spellCheck={false}
          autoComplete="off"
          className="font-mono"
          value={path}
          onChange={(event) => setPath(event.target.value)}
        />
        <div className="flex h-60 overflow-hidden rounded-md border border-line-strong">
          <TextEditor value={text} label="Text of the new file" onChange={setText} onSave={() => void create()} />
        </div>
      </form>
      {failure !== undefined && (
        <div className="mt-3">
          <ErrorNotice failure={failure} title="The file was not made." handlers={{ retry: create }} />
        </div>
      )}
    </Dialog>
  );
}
