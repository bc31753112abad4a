import type { Identity, Member } from "@benchtop/operations";
import { useInfiniteQuery } from "@tanstack/react-query";
import { UserPlus } from "lucide-react";
import { useState } from "react";
import { failureOf } from "../api/client.ts";
import { pages } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatCount } from "../components/format.ts";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useIdentity } from "../identity/identity.ts";
import { Rows, Section, ShowMore } from "../settings/section.tsx";
import { Invitations } from "./invitations.tsx";
import { InviteDialog } from "./invite-dialog.tsx";
import { LinkDialog } from "./link-dialog.tsx";
import { MemberRow } from "./member-row.tsx";
import { RemoveMember } from "./remove-member.tsx";

/** Who belongs to the workspace, what each of them may do, and who is invited. */
export function MembersSection() {
  const identity = useIdentity();
  if (identity === undefined) return null;
  return <Members identity={identity} />;
}

function Members(props: { readonly identity: Identity }) {
  const { identity } = props;
  const members = useInfiniteQuery(pages("members.list", {}));
  const [inviting, setInviting] = useState(false);
  const [linking, setLinking] = useState<Member>();
  const [removing, setRemoving] = useState<Member>();
  const manages = identity.permissions.includes("members:write");
  const items = members.data?.pages.flatMap((page) => page.items) ?? [];
  const people = items.filter(({ kind }) => kind === "person").length;
  return (
    <>
      <Section
        title="Members"
        note={
          members.data === undefined
            ? `Who works in ${identity.workspaceName}.`
            : `${formatCount(people, "person", "people")}${items.length > people ? ` and ${formatCount(items.length - people, "service")}` : ""} in ${identity.workspaceName}.`
        }
        actions={
          manages && (
            <Button
              size="small"
              tone="primary"
              icon={<UserPlus size={13} aria-hidden />}
              onClick={() => setInviting(true)}
            >
              Invite…
            </Button>
          )
        }
      >
        {members.isPending && <SkeletonRows count={4} label="Loading members" />}
        {members.isError && (
          <ErrorNotice
            failure={failureOf(members.error)}
            handlers={{ retry: async () => void (await members.refetch()) }}
          />
        )}
        {items.length > 0 && (
          <Rows label="Members">
            {items.map((member) => (
              <MemberRow
                key={member.userId}
                member={member}
                identity={identity}
                onLink={() => setLinking(member)}
                onRemove={() => setRemoving(member)}
              />
            ))}
          </Rows>
        )}
        {members.data !== undefined && items.length === 0 && (
          <p className="rounded-lg border border-dashed border-line-strong px-4 py-6 text-center text-muted">
            Nobody is a member yet.{manages && " Invite the first."}
          </p>
        )}
        <ShowMore list={members} />
      </Section>
      <Invitations manages={manages} members={items} onInvite={() => setInviting(true)} />
      {inviting && <InviteDialog identity={identity} onClose={() => setInviting(false)} />}
      {linking !== undefined && <LinkDialog member={linking} onClose={() => setLinking(undefined)} />}
      {removing !== undefined && (
        <RemoveMember
          member={removing}
          self={removing.userId === identity.userId}
          workspaceName={identity.workspaceName}
          onClose={() => setRemoving(undefined)}
        />
      )}
    </>
  );
}
