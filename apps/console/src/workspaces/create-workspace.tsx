import { useState, type FormEvent } from "react";
import { client } from "../api/client.ts";
import { Button } from "../components/button.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { TextField } from "../components/field.tsx";
import { useAttempt } from "../components/use-attempt.ts";
import { switchWorkspace } from "./switch-workspace.ts";

export function CreateWorkspace(props: { readonly onClose: () => void }) {
  const [name, setName] = useState("");
  const { busy, failure, attempt } = useAttempt();
  const create = () =>
    attempt(async () => {
      const { workspaceId } = await client.call("workspaces.create", { name: name.trim() });
      await switchWorkspace(workspaceId);
    });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() !== "" && !busy) void create();
  };
  return (
    <Dialog
      open
      onClose={props.onClose}
      title="New workspace"
      description="It has members, workbenches, runs, model providers and keys of its own. Nothing of one workspace is seen in another."
      footer={
        <>
          <Button onClick={props.onClose}>Cancel</Button>
          <Button
            tone="primary"
            type="submit"
            form="create-workspace"
            busy={busy}
            disabledReason={name.trim() === "" ? "Give it a name first." : undefined}
          >
            Create and switch to it
          </Button>
        </>
      }
    >
      <form id="create-workspace" onSubmit={submit} className="flex flex-col gap-3">
        <TextField
          label="Name"
          name="name"
          autoFocus
          autoComplete="off"
          maxLength={100}
          placeholder="Research"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        {failure !== undefined && <ErrorNotice failure={failure} handlers={{ retry: create }} />}
      </form>
    </Dialog>
  );
}
