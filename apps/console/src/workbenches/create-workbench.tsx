import { useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { queryClient } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { TextField } from "../components/field.tsx";

export function CreateWorkbench(props: { readonly open: boolean; readonly onClose: () => void }) {
  const navigate = useNavigate();
  const [name, setName] = useState("");
  const [failure, setFailure] = useState<Failure>();
  const [busy, setBusy] = useState(false);
  const create = async () => {
    setBusy(true);
    setFailure(undefined);
    try {
      const workbench = await client.call("workbenches.create", { name: name.trim() });
      await queryClient.invalidateQueries({ queryKey: ["workbenches.list"] });
      await navigate({ to: "/workbenches/$workbenchId", params: { workbenchId: workbench.workbenchId } });
    } catch (thrown) {
      setFailure(failureOf(thrown));
    } finally {
      setBusy(false);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() !== "" && !busy) void create();
  };
  return (
    <Dialog
      open={props.open}
      onClose={props.onClose}
      title="New workbench"
      description="A set of files and a conversation about them. Files are added by copy."
      footer={
        <>
          <Button onClick={props.onClose}>Cancel</Button>
          <Button
            tone="primary"
            type="submit"
            form="create-workbench"
            busy={busy}
            disabledReason={name.trim() === "" ? "Give it a name first." : undefined}
          >
            Create
          </Button>
        </>
      }
    >
      <form id="create-workbench" onSubmit={submit} className="flex flex-col gap-3">
        <TextField
          label="Name"
          name="name"
          autoFocus
          autoComplete="off"
          maxLength={100}
          placeholder="Budget 2027"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        {failure !== undefined && <ErrorNotice failure={failure} handlers={{ retry: create }} />}
      </form>
    </Dialog>
  );
}
