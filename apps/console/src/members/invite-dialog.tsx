import type { Identity, Role } from "@benchtop/operations";
import { useState, type FormEvent } from "react";
import { client } from "../api/client.ts";
import { queryClient } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { TextField } from "../components/field.tsx";
import { RadioCards } from "../components/radio-cards.tsx";
import { Select } from "../components/select.tsx";
import { ShownOnce } from "../components/shown-once.tsx";
import { useAttempt } from "../components/use-attempt.ts";
import { useIdentityProviders } from "../sign-in/identity-providers.tsx";
import { nameOf } from "./member-row.tsx";
import { roleNotes, rolesBelow } from "./roles.ts";

const days = [1, 7, 30, 90] as const;

/** Makes an invitation and shows its link, once. */
export function InviteDialog(props: { readonly identity: Identity; readonly onClose: () => void }) {
  const { identity } = props;
  const [role, setRole] = useState<Role>("editor");
  const [email, setEmail] = useState("");
  const [expiresInDays, setExpiresInDays] = useState(7);
  const [url, setUrl] = useState<string>();
  const { busy, failure, attempt } = useAttempt();
  const byAddress = useIdentityProviders().length > 0;
  const create = () =>
    attempt(async () => {
      const address = email.trim();
      const made = await client.call("invitations.create", {
        role,
        expiresInDays,
        ...(address !== "" && { email: address }),
      });
      await queryClient.invalidateQueries({ queryKey: ["invitations.list"] });
      setUrl(made.url);
    });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!busy) void create();
  };
  if (url !== undefined) {
    return (
      <Dialog
        open
        staysOpen
        onClose={props.onClose}
        title="The invitation"
        description={
          email.trim() === ""
            ? `Whoever opens this link joins ${identity.workspaceName} as ${role}. Send it on a way that only they read.`
            : `${email.trim()} joins ${identity.workspaceName} as ${role} by opening this link and signing in.`
        }
        footer={
          <Button tone="primary" onClick={props.onClose}>
            I have sent it
          </Button>
        }
      >
        <ShownOnce takesFocus label="Invitation link" secret={url} />
        <p className="mt-2 text-sm text-muted">
          Good once, for {expiresInDays === 1 ? "one day" : `${expiresInDays} days`}. It is not shown again; it can be
          taken back.
        </p>
      </Dialog>
    );
  }
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={`Invite somebody to ${identity.workspaceName}`}
      footer={
        <>
          <Button onClick={props.onClose}>Cancel</Button>
          <Button tone="primary" type="submit" form="invite" busy={busy}>
            Make the invitation
          </Button>
        </>
      }
    >
      <form id="invite" onSubmit={submit} className="flex flex-col gap-4">
        <div>
          <p className="mb-1 text-sm font-medium text-muted">Role</p>
          <RadioCards
            label="Role"
            value={role}
            onChange={setRole}
            options={rolesBelow(identity).map((value) => ({ value, label: nameOf(value), note: roleNotes[value] }))}
          />
        </div>
        {byAddress && (
          <TextField
            label="E-mail address (optional)"
            type="email"
            name="email"
            autoComplete="off"
            maxLength={254}
            value={email}
            onChange={(event) => setEmail(event.target.value)}
            hint="With one, only who signs in with this address can take it. Without one, whoever has the link."
          />
        )}
        <div className="flex items-center gap-3">
          <span className="text-sm font-medium text-muted">Good for</span>
          <Select
            label="Good for"
            value={String(expiresInDays)}
            onChange={(value) => setExpiresInDays(Number(value))}
            options={days.map((each) => ({ value: String(each), label: each === 1 ? "1 day" : `${each} days` }))}
          />
        </div>
        {failure !== undefined && <ErrorNotice failure={failure} handlers={{ retry: create }} />}
      </form>
    </Dialog>
  );
}
