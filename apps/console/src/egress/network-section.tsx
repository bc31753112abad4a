import type { EgressException } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Network, Plus, Trash2 } from "lucide-react";
import { useState, type FormEvent } from "react";
import { client, failureOf } from "../api/client.ts";
import { query, queryClient } from "../api/queries.ts";
import { Button, IconButton } from "../components/button.tsx";
import { ConfirmDialog } from "../components/confirm-dialog.tsx";
import { Dialog } from "../components/dialog.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { TextField } from "../components/field.tsx";
import { RelativeTime } from "../components/relative-time.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useAttempt } from "../components/use-attempt.ts";
import { useDenied } from "../identity/identity.ts";
import { Row, Rows, Section } from "../settings/section.tsx";

const exceptions = query("egressExceptions.list", {});
const refresh = () => queryClient.invalidateQueries({ queryKey: exceptions.queryKey });

/** The one exception to “HTTPS to known hosts only”: hosts of the local network that the operator approved, by name and port. */
export function NetworkSection() {
  const hosts = useQuery(exceptions);
  const mayNotChange = useDenied("host:files");
  const [adding, setAdding] = useState(false);
  const [revoking, setRevoking] = useState<EgressException>();
  const items = hosts.data?.items ?? [];
  const add = (
    <Button
      size="small"
      {...(items.length === 0 && { tone: "primary" as const, size: "medium" as const })}
      icon={<Plus size={13} aria-hidden />}
      disabledReason={mayNotChange}
      onClick={() => setAdding(true)}
    >
      Approve a host…
    </Button>
  );
  return (
    <Section
      title="Local network"
      note={
        <>
          Benchtop asks hosts on the internet by HTTPS alone, and only those of its{" "}
          <Link
            to="/settings"
            search={{ section: "providers" }}
            className="rounded-sm text-accent-ink underline underline-offset-2"
          >
            providers
          </Link>
          . A model server on the local network needs an approval first. Showing it files still asks for consent.
        </>
      }
      {...(items.length > 0 && { actions: add })}
    >
      {hosts.isPending && <SkeletonRows count={2} label="Loading approved hosts" />}
      {hosts.isError && (
        <ErrorNotice failure={failureOf(hosts.error)} handlers={{ retry: async () => void (await hosts.refetch()) }} />
      )}
      {hosts.isSuccess && items.length === 0 && (
        <div className="rounded-lg border border-dashed border-line-strong">
          <EmptyState icon={<Network size={18} aria-hidden />} title="No host is approved" action={add}>
            Nothing on the local network can be reached. Models on this machine itself need no approval.
          </EmptyState>
        </div>
      )}
      {items.length > 0 && (
        <Rows label="Approved hosts">
          {items.map((item) => (
            <Row key={item.host}>
              <Network size={14} aria-hidden className="text-faint" />
              <div className="min-w-40 flex-1">
                <p className="font-mono text-sm break-all">{item.host}</p>
                {item.note !== "" && <p className="text-sm break-words text-muted">{item.note}</p>}
              </div>
              <RelativeTime at={item.createdAt} className="text-sm text-faint" />
              <IconButton
                label={`Revoke ${item.host}`}
                size="small"
                disabledReason={mayNotChange}
                onClick={() => setRevoking(item)}
              >
                <Trash2 size={13} aria-hidden />
              </IconButton>
            </Row>
          ))}
        </Rows>
      )}
      {adding && <ApproveDialog onClose={() => setAdding(false)} />}
      {revoking !== undefined && (
        <ConfirmDialog
          title={`Revoke ${revoking.host}?`}
          description="Requests to this host are refused from now on. Providers that use it stay in the list and fail until it is approved again."
          action="Revoke"
          onClose={() => setRevoking(undefined)}
          onConfirm={async () => {
            await client.call("egressExceptions.revoke", { host: revoking.host });
            await refresh();
            setRevoking(undefined);
          }}
        />
      )}
    </Section>
  );
}

function ApproveDialog(props: { readonly onClose: () => void }) {
  const [host, setHost] = useState("");
  const [note, setNote] = useState("");
  const { busy, failure, attempt } = useAttempt();
  const approve = () =>
    attempt(async () => {
      await client.call("egressExceptions.approve", { host: host.trim(), note: note.trim() });
      await refresh();
      props.onClose();
    });
  const missing = host.trim().length < 3 ? "Write the host and its port first." : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (missing === undefined && !busy) void approve();
  };
  return (
    <Dialog
      open
      onClose={props.onClose}
      title="Approve a host of the local network"
      description="This workspace’s providers may then reach this one host and port, by plain HTTP too. Whoever controls the local network can read what is sent by plain HTTP."
      footer={
        <>
          <Button onClick={props.onClose}>Cancel</Button>
          <Button tone="primary" type="submit" form="approve-host" busy={busy} disabledReason={missing}>
            Approve
          </Button>
        </>
      }
    >
      <form id="approve-host" onSubmit={submit} className="flex flex-col gap-3">
        <TextField
          label="Host and port"
          autoFocus
          autoComplete="off"
          spellCheck={false}
          className="font-mono"
          placeholder="192.168.1.20:11434"
          hint="An address of a private network, or a name that means one."
          maxLength={300}
          value={host}
          onChange={(event) => setHost(event.target.value)}
        />
        <TextField
          label="Note (optional)"
          autoComplete="off"
          placeholder="The workstation in the lab"
          maxLength={500}
          value={note}
          onChange={(event) => setNote(event.target.value)}
        />
        {failure !== undefined && <ErrorNotice failure={failure} handlers={{ open_settings: props.onClose }} />}
      </form>
    </Dialog>
  );
}
