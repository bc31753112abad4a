import type { SignIn } from "@benchtop/operations";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Monitor, MonitorSmartphone } from "lucide-react";
import { useState } from "react";
import { client, failureOf } from "../api/client.ts";
import { pages, queryClient } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Chip } from "../components/chip.tsx";
import { ConfirmDialog } from "../components/confirm-dialog.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatCount } from "../components/format.ts";
import { RelativeTime } from "../components/relative-time.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useAttempt } from "../components/use-attempt.ts";
import { Row, Rows, Section, ShowMore } from "../settings/section.tsx";
import { signOut } from "../workspaces/switch-workspace.ts";
import { browserName } from "./browser-name.ts";

const methods: Record<SignIn["method"], string> = {
  token: "with the bootstrap token",
  link: "by a sign-in link",
  invitation: "by an invitation",
  oidc: "by the identity provider",
  "api-key": "with an API key",
};

/** The browsers in which somebody is signed in as this person. */
export function SignInsSection() {
  const signIns = useInfiniteQuery(pages("signIns.list", {}));
  const [endingOthers, setEndingOthers] = useState(false);
  const items = signIns.data?.pages.flatMap((page) => page.items) ?? [];
  const others = items.filter(({ current }) => !current);
  return (
    <Section
      title="Sign-ins"
      note="Browsers that are signed in as you. One that you do not know: sign it out."
      actions={
        others.length > 1 && (
          <Button size="small" onClick={() => setEndingOthers(true)}>
            Sign out the others…
          </Button>
        )
      }
    >
      {signIns.isPending && <SkeletonRows count={3} label="Loading sign-ins" />}
      {signIns.isError && (
        <ErrorNotice
          failure={failureOf(signIns.error)}
          handlers={{ retry: async () => void (await signIns.refetch()) }}
        />
      )}
      {signIns.data !== undefined && items.length === 0 && (
        <EmptyState icon={<MonitorSmartphone size={18} aria-hidden />} title="No browser is signed in">
          This page was opened without a session.
        </EmptyState>
      )}
      {items.length > 0 && (
        <Rows label="Sign-ins">
          {items.map((signIn) => (
            <SignInRow key={signIn.signInId} signIn={signIn} />
          ))}
        </Rows>
      )}
      <ShowMore list={signIns} />
      {endingOthers && (
        <ConfirmDialog
          title={`Sign out ${formatCount(others.length, "other browser")}?`}
          description="They lead to the sign-in form at once. What somebody is writing there and has not sent is lost. This browser stays."
          action="Sign them out"
          onClose={() => setEndingOthers(false)}
          onConfirm={async () => {
            for (const { signInId } of others) await client.call("signIns.revoke", { signInId });
            await queryClient.invalidateQueries({ queryKey: ["signIns.list"] });
            setEndingOthers(false);
          }}
        />
      )}
    </Section>
  );
}

function SignInRow(props: { readonly signIn: SignIn }) {
  const { signIn } = props;
  const { busy, failure, attempt } = useAttempt();
  const end = () =>
    attempt(async () => {
      await client.call("signIns.revoke", { signInId: signIn.signInId });
      await queryClient.invalidateQueries({ queryKey: ["signIns.list"] });
    });
  const name = browserName(signIn.userAgent);
  return (
    <Row>
      <Monitor size={15} aria-hidden className="shrink-0 text-faint" />
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <span className="min-w-0 truncate font-semibold" title={signIn.userAgent ?? undefined}>
            {name}
          </span>
          {signIn.current && <Chip tone="accent">This browser</Chip>}
        </p>
        <p className="text-sm text-muted">
          {methods[signIn.method]} · {signIn.address !== null && <>from {signIn.address} · </>}
          since <RelativeTime at={signIn.createdAt} /> · seen <RelativeTime at={signIn.lastSeenAt} /> · ends{" "}
          <RelativeTime at={signIn.expiresAt} />
        </p>
      </div>
      {signIn.current ? (
        <Button size="small" tone="quiet" onClick={() => void signOut()}>
          Sign out
        </Button>
      ) : (
        <Button size="small" busy={busy} aria-label={`Sign ${name} out`} onClick={() => void end()}>
          Sign out
        </Button>
      )}
      {failure !== undefined && (
        <div className="w-full">
          <ErrorNotice failure={failure} handlers={{ retry: end }} />
        </div>
      )}
    </Row>
  );
}
