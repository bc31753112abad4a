import type { Identity } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { client, failureOf, isCode, live, type Failure } from "../api/client.ts";
import { forgetModels, queryClient } from "../api/queries.ts";
import { whoami } from "../identity/identity.ts";
import { router } from "../router.tsx";
import { takeArrival, type Arrival } from "./arrival.ts";
import { InvitationScreen } from "./invitation-screen.tsx";
import { SignInScreen } from "./sign-in-screen.tsx";

/**
 * Shows the console to a known person and the sign-in form to anyone else, at whatever address they came to. A session
 * that ends while the console is open leads here, too; the address stays, so that signing in leads back to it.
 */
export function Entrance(props: { readonly arrival: Arrival | undefined }) {
  const [invitation, setInvitation] = useState(invitationOf(props.arrival));
  const [exchanging, setExchanging] = useState(proofOf(props.arrival) !== undefined);
  const [failure, setFailure] = useState<Failure>();
  useEffect(() => {
    const finish = async (exchange: Promise<Failure | undefined>) => {
      setFailure(await exchange);
      setExchanging(false);
    };
    if (proofOf(props.arrival) !== undefined) void finish(exchangeOnce(props.arrival));
    // A link that is opened in a tab which is here already changes only the fragment.
    const onHashChange = () => {
      const arrival = takeArrival();
      if (arrival === undefined) return;
      setInvitation(invitationOf(arrival));
      if (arrival.kind !== "invitation") void finish(exchange(arrival));
    };
    addEventListener("hashchange", onHashChange);
    return () => removeEventListener("hashchange", onHashChange);
  }, [props.arrival]);

  const identity = useQuery({ ...whoami, enabled: !exchanging });
  const ended = isCode(identity.error, "AUTH_REQUIRED");
  const known = ended ? undefined : identity.data;
  // A form that is in use stays while the question who this is gets asked again.
  const [answered, setAnswered] = useState(false);
  useEffect(() => {
    if (identity.isFetched) setAnswered(true);
  }, [identity.isFetched]);
  if (exchanging || (!answered && identity.isPending)) return null;
  if (invitation !== undefined) {
    return (
      <InvitationScreen
        token={invitation}
        identity={known}
        onAccepted={async (accepted) => {
          await enter(accepted);
          setInvitation(undefined);
        }}
        onLeave={() => setInvitation(undefined)}
      />
    );
  }
  if (known !== undefined) {
    return <RouterProvider key={`${known.userId} ${known.workspaceId}`} router={router} />;
  }
  return (
    <SignInScreen
      failure={failure ?? (identity.error === null || ended ? undefined : failureOf(identity.error))}
      ended={identity.data !== undefined}
      onSignIn={async (token) => setFailure(await exchange({ kind: "token", token }))}
    />
  );
}

function invitationOf(arrival: Arrival | undefined): string | undefined {
  return arrival?.kind === "invitation" ? arrival.token : undefined;
}

function proofOf(arrival: Arrival | undefined): Arrival | undefined {
  return arrival?.kind === "invitation" ? undefined : arrival;
}

let first: Promise<Failure | undefined> | undefined;

/** What proves somebody works once: React's second mount must not spend it again. */
function exchangeOnce(arrival: Arrival | undefined): Promise<Failure | undefined> {
  return (first ??= arrival === undefined ? Promise.resolve(undefined) : exchange(arrival));
}

/** Exchanges a token, or what an identity provider sent, for the session cookie. Answers what went wrong, if anything did. */
async function exchange(arrival: Arrival): Promise<Failure | undefined> {
  try {
    await enter(
      arrival.kind === "identity-provider"
        ? await client.call("signIn.finishOidc", { parameters: arrival.parameters })
        : await client.call("signIn.create", { token: arrival.token }),
    );
    return undefined;
  } catch (thrown) {
    return failureOf(thrown);
  }
}

/** Nothing that somebody else was shown is shown to this person, not even while their own is being loaded. */
async function enter(identity: Identity): Promise<void> {
  const before = queryClient.getQueryData(whoami.queryKey);
  // The connection is of whoever opened it.
  live.close();
  if (before?.userId !== identity.userId || before.workspaceId !== identity.workspaceId) forgetModels();
  await queryClient.resetQueries({ predicate: ({ queryKey }) => queryKey[0] !== "identity.whoami" });
  queryClient.setQueryData(whoami.queryKey, identity);
}
