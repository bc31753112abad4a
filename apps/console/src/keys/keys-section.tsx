import type { ApiKey, Identity } from "@benchtop/operations";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Bot, KeyRound, Plus } from "lucide-react";
import { useState } from "react";
import { client, failureOf } from "../api/client.ts";
import { pages, queryClient } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Chip, type Tone } from "../components/chip.tsx";
import { ConfirmDialog } from "../components/confirm-dialog.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { RelativeTime } from "../components/relative-time.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { Tooltip } from "../components/tooltip.tsx";
import { useIdentity } from "../identity/identity.ts";
import { Row, Rows, Section, ShowMore } from "../settings/section.tsx";
import { CreateKeyDialog } from "./create-key-dialog.tsx";
import { grantable, summaryOf } from "./scopes.ts";

/** Keys for programs: what each may do, until when, and when it was used last. */
export function KeysSection() {
  const identity = useIdentity();
  return identity === undefined ? null : <Keys identity={identity} />;
}

function Keys(props: { readonly identity: Identity }) {
  const { identity } = props;
  const keys = useInfiniteQuery(pages("keys.list", {}));
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<ApiKey>();
  const items = keys.data?.pages.flatMap((page) => page.items) ?? [];
  const create = (
    <Button size="small" tone="primary" icon={<Plus size={13} aria-hidden />} onClick={() => setCreating(true)}>
      New key…
    </Button>
  );
  return (
    <Section
      title="API keys"
      note={
        identity.permissions.includes("members:write")
          ? `For programs that use ${identity.workspaceName}. You see everybody’s. A key itself is shown once, when it is made.`
          : `For your programs that use ${identity.workspaceName}. A key itself is shown once, when it is made.`
      }
      actions={items.length > 0 && create}
    >
      {keys.isPending && <SkeletonRows count={3} label="Loading keys" />}
      {keys.isError && (
        <ErrorNotice failure={failureOf(keys.error)} handlers={{ retry: async () => void (await keys.refetch()) }} />
      )}
      {keys.data !== undefined && items.length === 0 && (
        <EmptyState icon={<KeyRound size={18} aria-hidden />} title="No keys yet" action={create}>
          A key lets a program do here what you may do, or a part of it, without your browser. It can expire, and be
          revoked at once.
        </EmptyState>
      )}
      {items.length > 0 && (
        <Rows label="API keys">
          {items.map((key) => (
            <KeyRow key={key.keyId} apiKey={key} identity={identity} onRevoke={() => setRevoking(key)} />
          ))}
        </Rows>
      )}
      <ShowMore list={keys} />
      {creating && <CreateKeyDialog identity={identity} onClose={() => setCreating(false)} />}
      {revoking !== undefined && (
        <ConfirmDialog
          title={`Revoke ${revoking.name}?`}
          description={`Programs that use ${revoking.prefix}… are refused from now on, and browsers that signed in with it are signed out. This cannot be undone; a new key can be made.`}
          action="Revoke"
          keep="Keep"
          onClose={() => setRevoking(undefined)}
          onConfirm={async () => {
            await client.call("keys.revoke", { keyId: revoking.keyId });
            await queryClient.invalidateQueries({ queryKey: ["keys.list"] });
            setRevoking(undefined);
          }}
        />
      )}
    </Section>
  );
}

const states: Record<ApiKey["status"], { readonly label: string; readonly tone: Tone }> = {
  active: { label: "Active", tone: "good" },
  expired: { label: "Expired", tone: "draft" },
  revoked: { label: "Revoked", tone: "neutral" },
};

function KeyRow(props: { readonly apiKey: ApiKey; readonly identity: Identity; readonly onRevoke: () => void }) {
  const { apiKey, identity } = props;
  const Icon = apiKey.kind === "service" ? Bot : KeyRound;
  const { label, tone } = states[apiKey.status];
  return (
    <Row dim={apiKey.status !== "active"}>
      <Icon size={15} aria-hidden className="shrink-0 text-faint" />
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <span className="min-w-0 truncate font-semibold">{apiKey.name}</span>
          <code className="text-xs text-muted">{apiKey.prefix}…</code>
          <Chip tone={tone}>{label}</Chip>
          {apiKey.kind === "service" && <Chip>Service</Chip>}
        </p>
        <p className="text-sm text-muted">
          <Tooltip content={apiKey.scopes.join(", ")}>
            <button type="button" className="rounded-sm text-left underline decoration-dotted underline-offset-3">
              {summaryOf(apiKey.scopes, grantable(identity.permissions))}
            </button>
          </Tooltip>
          {apiKey.kind === "person" && apiKey.userId !== identity.userId && ` · of ${apiKey.userName}`}
          {apiKey.status !== "revoked" && <Expiry apiKey={apiKey} />}
          {" · "}
          {apiKey.lastUsedAt === null ? (
            "never used"
          ) : (
            <>
              used <RelativeTime at={apiKey.lastUsedAt} />
            </>
          )}
        </p>
      </div>
      {apiKey.status === "active" && (
        <Button size="small" tone="quiet" aria-label={`Revoke ${apiKey.name}…`} onClick={props.onRevoke}>
          Revoke…
        </Button>
      )}
    </Row>
  );
}

function Expiry({ apiKey }: { readonly apiKey: ApiKey }) {
  if (apiKey.expiresAt === null) return " · does not expire";
  return (
    <>
      {apiKey.status === "expired" ? " · expired " : " · expires "}
      <RelativeTime at={apiKey.expiresAt} />
    </>
  );
}
