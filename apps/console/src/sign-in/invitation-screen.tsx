import type { Identity } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { MailOpen, UserRoundCheck } from "lucide-react";
import { useState, type FormEvent } from "react";
import { client, failureOf, isCode, type Failure } from "../api/client.ts";
import { query } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { FailureBox } from "../components/failure-box.tsx";
import { TextField } from "../components/field.tsx";
import { RelativeTime } from "../components/relative-time.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { roleNotes } from "../members/roles.ts";
import { Doorway, Or } from "./doorway.tsx";
import { IdentityProviders, useIdentityProviders } from "./identity-providers.tsx";

/** What an invitation is for, and the ways to take it. */
export function InvitationScreen(props: {
  readonly token: string;
  /** Whoever this browser is signed in as, if anyone. */
  readonly identity: Identity | undefined;
  readonly onAccepted: (identity: Identity) => Promise<void>;
  readonly onLeave: () => void;
}) {
  const { token, identity } = props;
  const invitation = useQuery({ ...query("invitations.look", { token }), staleTime: Infinity, retry: false });
  const leave = (
    <Button tone="quiet" className="mt-2 w-full" onClick={props.onLeave}>
      {identity === undefined ? "Sign in instead" : "Not now"}
    </Button>
  );
  if (invitation.data === undefined) {
    return (
      <Doorway title="An invitation to Benchtop">
        {invitation.isPending && <SkeletonRows count={3} label="Reading the invitation" />}
        {isCode(invitation.error, "AUTH_REQUIRED") ? (
          <div role="alert">
            <p className="font-medium">This invitation is not open any more.</p>
            <p className="mt-1 text-muted">
              It was taken, taken back, or has expired. Ask whoever sent it for another one.
            </p>
          </div>
        ) : (
          invitation.isError && (
            <FailureBox
              failure={failureOf(invitation.error)}
              handlers={{ retry: async () => void (await invitation.refetch()) }}
            />
          )
        )}
        {invitation.isError && leave}
      </Doorway>
    );
  }
  const { workspaceName, role, email, expiresAt } = invitation.data;
  return (
    <Doorway title={`Join ${workspaceName}`}>
      <div className="mb-4 flex items-start gap-3 rounded-lg border border-line bg-raised px-3.5 py-3">
        <MailOpen size={16} aria-hidden className="mt-0.5 shrink-0 text-accent-ink" />
        <div className="min-w-0">
          <p className="break-words">
            You are invited to <span className="font-semibold">{workspaceName}</span> as{" "}
            <span className="font-semibold">{role}</span>.
          </p>
          <p className="text-sm text-muted">
            {roleNotes[role]} The invitation ends <RelativeTime at={expiresAt} />.
          </p>
        </div>
      </div>
      {email === null ? (
        <Accept token={token} identity={identity} onAccepted={props.onAccepted} />
      ) : (
        <ByAddress token={token} email={email} />
      )}
      {leave}
    </Doorway>
  );
}

function Accept(props: {
  readonly token: string;
  readonly identity: Identity | undefined;
  readonly onAccepted: (identity: Identity) => Promise<void>;
}) {
  const { token, identity } = props;
  const [name, setName] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const withProviders = useIdentityProviders().length > 0;
  const accept = async () => {
    setBusy(true);
    setFailure(undefined);
    try {
      const displayName = name.trim();
      const accepted = await client.call("invitations.accept", {
        token,
        ...(identity === undefined && displayName !== "" && { displayName }),
      });
      await props.onAccepted(accepted);
    } catch (thrown) {
      setFailure(failureOf(thrown));
      setBusy(false);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!busy && (identity !== undefined || name.trim() !== "")) void accept();
  };
  return (
    <>
      <form onSubmit={submit} className="flex flex-col gap-4">
        {identity === undefined ? (
          <TextField
            label="Your name"
            name="name"
            autoComplete="name"
            autoFocus
            maxLength={100}
            value={name}
            onChange={(event) => setName(event.target.value)}
            hint="How the others see you."
          />
        ) : (
          <p className="text-muted">
            You are signed in as <span className="font-medium text-ink">{identity.displayName}</span>, and join as
            yourself.
          </p>
        )}
        <Button
          type="submit"
          tone="primary"
          busy={busy}
          autoFocus={identity !== undefined}
          className="w-full"
          icon={<UserRoundCheck size={14} aria-hidden />}
          disabledReason={identity === undefined && name.trim() === "" ? "Write your name first." : undefined}
        >
          Join
        </Button>
        {failure !== undefined && <FailureBox failure={failure} handlers={{ retry: accept }} />}
      </form>
      {identity === undefined && withProviders && (
        <>
          <Or />
          <IdentityProviders verb="Join with" invitation={token} />
        </>
      )}
    </>
  );
}

/** An invitation to an address is proved by an identity provider that knows whose address it is. */
function ByAddress(props: { readonly token: string; readonly email: string }) {
  const withProviders = useIdentityProviders().length > 0;
  return (
    <>
      <p className="mb-3 text-muted">
        It is for <span className="font-medium break-all text-ink">{props.email}</span>. Sign in with that address to
        take it.
      </p>
      <IdentityProviders verb="Join with" invitation={props.token} />
      {!withProviders && (
        <p role="alert" className="rounded-lg border border-draft-line bg-draft-soft px-3 py-2">
          No identity provider is set up here, so nobody can prove an address. Ask for an invitation without one.
        </p>
      )}
    </>
  );
}
