import type { Invitation, Member } from "@benchtop/operations";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link2, Mail } from "lucide-react";
import { useState } from "react";
import { client, failureOf } from "../api/client.ts";
import { pages, queryClient } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Chip, type Tone } from "../components/chip.tsx";
import { ConfirmDialog } from "../components/confirm-dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { RelativeTime } from "../components/relative-time.tsx";
import { Row, Rows, ShowMore } from "../settings/section.tsx";

const states: Record<Invitation["status"], { readonly label: string; readonly tone: Tone }> = {
  open: { label: "Open", tone: "accent" },
  accepted: { label: "Taken", tone: "good" },
  revoked: { label: "Taken back", tone: "neutral" },
  expired: { label: "Expired", tone: "neutral" },
};

/** Who is invited. What became of older invitations is one click further. */
export function Invitations(props: {
  readonly manages: boolean;
  readonly members: readonly Member[];
  readonly onInvite: () => void;
}) {
  const invitations = useInfiniteQuery(pages("invitations.list", {}));
  const [past, setPast] = useState(false);
  const [revoking, setRevoking] = useState<Invitation>();
  const items = invitations.data?.pages.flatMap((page) => page.items) ?? [];
  const open = items.filter(({ status }) => status === "open");
  const shown = past ? items : open;
  if (invitations.isPending) return null;
  return (
    <section className="mt-7">
      <div className="mb-2 flex items-center justify-between gap-3">
        <h3 className="font-semibold">{past ? "Invitations" : "Open invitations"}</h3>
        {items.length > open.length && (
          <Button size="small" tone="quiet" aria-pressed={past} onClick={() => setPast(!past)}>
            {past ? "Only open ones" : "Show past ones"}
          </Button>
        )}
      </div>
      {invitations.isError && (
        <ErrorNotice
          failure={failureOf(invitations.error)}
          handlers={{ retry: async () => void (await invitations.refetch()) }}
        />
      )}
      {invitations.data !== undefined && shown.length === 0 && (
        <p className="text-sm text-muted">
          Nobody is invited.
          {props.manages && (
            <>
              {" "}
              <button
                type="button"
                className="rounded-sm text-accent-ink underline-offset-2 hover:underline"
                onClick={props.onInvite}
              >
                Invite somebody
              </button>
            </>
          )}
        </p>
      )}
      {shown.length > 0 && (
        <Rows label="Invitations">
          {shown.map((invitation) => (
            <InvitationRow
              key={invitation.invitationId}
              invitation={invitation}
              by={
                props.members.find(({ userId }) => userId === invitation.invitedBy)?.displayName ?? "somebody who left"
              }
              {...(props.manages && invitation.status === "open" && { onRevoke: () => setRevoking(invitation) })}
            />
          ))}
        </Rows>
      )}
      {past && <ShowMore list={invitations} />}
      {revoking !== undefined && (
        <ConfirmDialog
          title="Take this invitation back?"
          description={`Its link stops working at once. ${revoking.email ?? "Whoever has it"} can be invited again.`}
          action="Take it back"
          keep="Keep"
          onClose={() => setRevoking(undefined)}
          onConfirm={async () => {
            await client.call("invitations.revoke", { invitationId: revoking.invitationId });
            await queryClient.invalidateQueries({ queryKey: ["invitations.list"] });
            setRevoking(undefined);
          }}
        />
      )}
    </section>
  );
}

function InvitationRow(props: {
  readonly invitation: Invitation;
  readonly by: string;
  readonly onRevoke?: () => void;
}) {
  const { invitation } = props;
  const Icon = invitation.email === null ? Link2 : Mail;
  const { label, tone } = states[invitation.status];
  return (
    <Row dim={invitation.status !== "open"}>
      <Icon size={15} aria-hidden className="shrink-0 text-faint" />
      <div className="min-w-0 flex-1">
        <p className="flex items-center gap-2">
          <span className="truncate font-medium">{invitation.email ?? "Whoever has the link"}</span>
          <Chip tone={tone}>{label}</Chip>
        </p>
        <p className="text-sm text-muted">
          as {invitation.role} · by {props.by} · <RelativeTime at={invitation.createdAt} />
          {invitation.status === "open" && (
            <>
              {" "}
              · ends <RelativeTime at={invitation.expiresAt} />
            </>
          )}
        </p>
      </div>
      {props.onRevoke !== undefined && (
        <Button size="small" tone="quiet" onClick={props.onRevoke}>
          Take back…
        </Button>
      )}
    </Row>
  );
}
