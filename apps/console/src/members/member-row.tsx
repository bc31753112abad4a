import { isAtLeast, roles, type Identity, type Member, type Role } from "@benchtop/operations";
import { Bot, Ellipsis, Link2, UserRound, UserRoundX } from "lucide-react";
import { client } from "../api/client.ts";
import { queryClient } from "../api/queries.ts";
import { Chip } from "../components/chip.tsx";
import { classes } from "../components/classes.ts";
import { ErrorNotice } from "../components/error-notice.tsx";
import { Menu } from "../components/menu.tsx";
import { RelativeTime } from "../components/relative-time.tsx";
import { Select } from "../components/select.tsx";
import { Tooltip } from "../components/tooltip.tsx";
import { useAttempt } from "../components/use-attempt.ts";
import { whoami } from "../identity/identity.ts";
import { Row } from "../settings/section.tsx";
import { roleNotes, rolesBelow } from "./roles.ts";

/** One member: who, since when, and what may be changed about them by the person who looks. */
export function MemberRow(props: {
  readonly member: Member;
  readonly identity: Identity;
  readonly onLink: () => void;
  readonly onRemove: () => void;
}) {
  const { member, identity } = props;
  const { attempt, busy, failure } = useAttempt();
  const self = member.userId === identity.userId;
  const mine = rolesBelow(identity);
  const manages = identity.permissions.includes("members:write") && mine.includes(member.role);
  const setRole = (role: Role) =>
    attempt(async () => {
      await client.call("members.setRole", { userId: member.userId, role });
      await queryClient.invalidateQueries({ queryKey: ["members.list"] });
      if (self) await queryClient.invalidateQueries({ queryKey: whoami.queryKey });
    });
  const Icon = member.kind === "service" ? Bot : UserRound;
  return (
    <Row>
      <Icon size={15} aria-hidden className="shrink-0 text-faint" />
      <div className="min-w-0 flex-1">
        <p className="flex items-center gap-2">
          <span className="truncate font-semibold">{member.displayName}</span>
          {self && <Chip tone="accent">You</Chip>}
          {member.kind === "service" && <Chip>Service</Chip>}
        </p>
        <p className="truncate text-sm text-muted">
          {member.email !== null && `${member.email} · `}
          {member.oidc && "identity provider · "}
          {member.lastSeenAt === null ? (
            "never seen"
          ) : (
            <>
              seen <RelativeTime at={member.lastSeenAt} />
            </>
          )}
        </p>
      </div>
      {manages ? (
        <Select
          label={`Role of ${member.displayName}`}
          value={member.role}
          className={classes("w-24", busy && "opacity-60")}
          onChange={(value) => {
            const role = roles.find((each) => each === value);
            if (role !== undefined && role !== member.role && !busy) void setRole(role);
          }}
          options={mine.map((role) => ({ value: role, label: nameOf(role), note: roleNotes[role] }))}
        />
      ) : (
        <Tooltip content={roleNotes[member.role]}>
          <button type="button" className="rounded-sm px-2 text-sm font-medium text-muted">
            {nameOf(member.role)}
          </button>
        </Tooltip>
      )}
      {(manages || self) && (
        <Menu
          trigger={
            <button
              type="button"
              aria-label={`More about ${member.displayName}`}
              className="inline-flex size-7 items-center justify-center rounded-md text-muted hover:bg-hover hover:text-ink"
            >
              <Ellipsis size={15} aria-hidden />
            </button>
          }
          items={[
            ...(manages && member.kind === "person" && !self
              ? [
                  {
                    label: "One-time sign-in link…",
                    icon: <Link2 size={14} aria-hidden />,
                    onSelect: props.onLink,
                    disabledReason: canLink(identity, member)
                      ? undefined
                      : "Only for somebody whose role is below yours.",
                  },
                ]
              : []),
            {
              label: self ? "Leave the workspace…" : "Remove…",
              icon: <UserRoundX size={14} aria-hidden />,
              danger: true,
              onSelect: props.onRemove,
              disabledReason: manages ? undefined : "Ask an admin or owner to remove you.",
            },
          ]}
        />
      )}
      {failure !== undefined && (
        <div className="w-full">
          <ErrorNotice failure={failure} />
        </div>
      )}
    </Row>
  );
}

function canLink(identity: Identity, member: Member): boolean {
  return identity.operator || (identity.role !== null && !isAtLeast(member.role, identity.role));
}

export function nameOf(role: Role): string {
  return role.charAt(0).toUpperCase() + role.slice(1);
}
