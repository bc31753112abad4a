import type { Member } from "@benchtop/operations";
import { useEffect, useRef, useState } from "react";
import { client } from "../api/client.ts";
import { Button } from "../components/button.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { RelativeTime } from "../components/relative-time.tsx";
import { ShownOnce } from "../components/shown-once.tsx";
import { useAttempt } from "../components/use-attempt.ts";

/** A link for a member who has no other way in. Made only when it is asked for: it signs in whoever opens it. */
export function LinkDialog(props: { readonly member: Member; readonly onClose: () => void }) {
  const { member } = props;
  const [link, setLink] = useState<{ readonly url: string; readonly expiresAt: string }>();
  const { busy, failure, attempt } = useAttempt();
  const create = () => attempt(async () => setLink(await client.call("members.createLink", { userId: member.userId })));
  const done = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (link !== undefined) done.current?.focus();
  }, [link]);
  return (
    <Dialog
      open
      onClose={props.onClose}
      staysOpen={link !== undefined}
      title={`A sign-in link for ${member.displayName}`}
      description="It signs one browser in as them: good once, for ten minutes. Send it on a way that only they read."
      footer={
        link === undefined ? (
          <>
            <Button onClick={props.onClose}>Cancel</Button>
            <Button tone="primary" busy={busy} onClick={() => void create()}>
              Make the link
            </Button>
          </>
        ) : (
          <Button ref={done} tone="primary" onClick={props.onClose}>
            I have sent it
          </Button>
        )
      }
    >
      {link !== undefined && (
        <>
          <ShownOnce label="Sign-in link" secret={link.url} />
          <p className="mt-2 text-sm text-muted">
            Ends <RelativeTime at={link.expiresAt} />. It is not shown again.
          </p>
        </>
      )}
      {failure !== undefined && <ErrorNotice failure={failure} handlers={{ retry: create }} />}
    </Dialog>
  );
}
