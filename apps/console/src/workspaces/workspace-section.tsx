import type { Identity, Workspace } from "@benchtop/operations";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Building2, Plus } from "lucide-react";
import { useState, type FormEvent } from "react";
import { client, failureOf } from "../api/client.ts";
import { pages, queryClient } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Chip } from "../components/chip.tsx";
import { ConfirmDialog } from "../components/confirm-dialog.tsx";
import { CopyId } from "../components/copy-text.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { TextField } from "../components/field.tsx";
import { formatCount } from "../components/format.ts";
import { RelativeTime } from "../components/relative-time.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useAttempt } from "../components/use-attempt.ts";
import { denial, useIdentity, whoami } from "../identity/identity.ts";
import { Row, Rows, Section, ShowMore } from "../settings/section.tsx";
import { CreateWorkspace } from "./create-workspace.tsx";
import { switchWorkspace } from "./switch-workspace.ts";

/** The workspace itself, and those beside it. */
export function WorkspaceSection() {
  const identity = useIdentity();
  if (identity === undefined) return null;
  return (
    <>
      <Section
        title="Workspace"
        note={
          <>
            Its id is <CopyId id={identity.workspaceId} label="workspace id" />; programs name it in the header{" "}
            <code className="text-xs">Benchtop-Workspace</code>.
          </>
        }
      >
        <Rename key={identity.workspaceId} identity={identity} />
      </Section>
      <Workspaces identity={identity} />
    </>
  );
}

function Rename(props: { readonly identity: Identity }) {
  const { identity } = props;
  const [name, setName] = useState(identity.workspaceName);
  const [saved, setSaved] = useState(false);
  const { busy, failure, attempt } = useAttempt();
  const may = identity.permissions.includes("workspace:write");
  const rename = () =>
    attempt(async () => {
      await client.call("workspaces.rename", { name: name.trim() });
      setSaved(true);
      await queryClient.invalidateQueries({ queryKey: whoami.queryKey });
      await queryClient.invalidateQueries({ queryKey: ["workspaces.list"] });
    });
  const gate = may
    ? name.trim() === ""
      ? "It needs a name."
      : name.trim() === identity.workspaceName
        ? "This is its name."
        : undefined
    : denial(identity, "workspace:write");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (gate === undefined && !busy) void rename();
  };
  return (
    <form onSubmit={submit} className="max-w-100">
      <div className="flex items-end gap-2">
        <div className="min-w-0 flex-1">
          <TextField
            label="Name"
            value={name}
            maxLength={100}
            readOnly={!may}
            autoComplete="off"
            onChange={(event) => {
              setName(event.target.value);
              setSaved(false);
            }}
          />
        </div>
        <Button type="submit" busy={busy} disabledReason={gate}>
          Rename
        </Button>
      </div>
      <p role="status" className="mt-1 text-sm text-good">
        {saved && "Renamed."}
      </p>
      {failure !== undefined && <ErrorNotice failure={failure} handlers={{ retry: rename }} />}
    </form>
  );
}

function Workspaces(props: { readonly identity: Identity }) {
  const { identity } = props;
  const workspaces = useInfiniteQuery(pages("workspaces.list", {}));
  const [creating, setCreating] = useState(false);
  const [deleting, setDeleting] = useState<Workspace>();
  const manages = identity.permissions.includes("installation:write");
  const items = workspaces.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <section className="mt-7">
      <div className="mb-2 flex items-center justify-between gap-3">
        <h3 className="font-semibold">{manages ? "Workspaces of this installation" : "Your workspaces"}</h3>
        {manages && (
          <Button size="small" icon={<Plus size={13} aria-hidden />} onClick={() => setCreating(true)}>
            New workspace…
          </Button>
        )}
      </div>
      {workspaces.isPending && <SkeletonRows count={2} label="Loading workspaces" />}
      {workspaces.isError && (
        <ErrorNotice
          failure={failureOf(workspaces.error)}
          handlers={{ retry: async () => void (await workspaces.refetch()) }}
        />
      )}
      {items.length > 0 && (
        <Rows label="Workspaces">
          {items.map((workspace) => (
            <WorkspaceRow
              key={workspace.workspaceId}
              workspace={workspace}
              identity={identity}
              {...(manages && { onDelete: () => setDeleting(workspace) })}
            />
          ))}
        </Rows>
      )}
      <ShowMore list={workspaces} />
      {creating && <CreateWorkspace onClose={() => setCreating(false)} />}
      {deleting !== undefined && (
        <ConfirmDialog
          title={`Delete ${deleting.name}?`}
          description={`The memberships of ${formatCount(deleting.members, "member")}, its API keys, and its model providers with their keys are deleted. This cannot be undone. Its runs stay in the ledger.`}
          action="Delete for good"
          keep="Keep"
          onClose={() => setDeleting(undefined)}
          onConfirm={async () => {
            await client.call("workspaces.delete", { workspaceId: deleting.workspaceId });
            await queryClient.invalidateQueries({ queryKey: ["workspaces.list"] });
            setDeleting(undefined);
          }}
        />
      )}
    </section>
  );
}

function WorkspaceRow(props: {
  readonly workspace: Workspace;
  readonly identity: Identity;
  readonly onDelete?: () => void;
}) {
  const { workspace, identity, onDelete } = props;
  const { busy, failure, attempt } = useAttempt();
  const current = workspace.workspaceId === identity.workspaceId;
  const kept = current
    ? "You are in it. Switch to another one first."
    : workspace.workbenches > 0
      ? `Delete its ${formatCount(workspace.workbenches, "workbench", "workbenches")} first.`
      : undefined;
  return (
    <Row>
      <Building2 size={15} aria-hidden className="shrink-0 text-faint" />
      <div className="min-w-0 flex-1">
        <p className="flex items-center gap-2">
          <span className="truncate font-semibold">{workspace.name}</span>
          {current && <Chip tone="accent">You are here</Chip>}
        </p>
        <p className="text-sm text-muted">
          {workspace.role === null ? "no member" : `you are ${workspace.role}`} ·{" "}
          {formatCount(workspace.members, "member")} · {formatCount(workspace.workbenches, "workbench", "workbenches")}{" "}
          · made <RelativeTime at={workspace.createdAt} />
        </p>
      </div>
      {!current && (
        <Button
          size="small"
          busy={busy}
          aria-label={`Switch to ${workspace.name}`}
          disabledReason={identity.confined ? "This sign-in is good in one workspace alone." : undefined}
          onClick={() => void attempt(() => switchWorkspace(workspace.workspaceId))}
        >
          Switch
        </Button>
      )}
      {onDelete !== undefined && (
        <Button
          size="small"
          tone="quiet"
          aria-label={`Delete ${workspace.name}…`}
          disabledReason={kept}
          onClick={onDelete}
        >
          Delete…
        </Button>
      )}
      {failure !== undefined && (
        <div className="w-full">
          <ErrorNotice failure={failure} />
        </div>
      )}
    </Row>
  );
}
