import { useQuery } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { client, failureOf, isCode, type Failure } from "../api/client.ts";
import { query, queryClient } from "../api/queries.ts";
import { router } from "../router.tsx";
import { SignInScreen } from "./sign-in-screen.tsx";
import { takeTokenFromAddress } from "./token.ts";

let firstExchange: Promise<Failure | undefined> | undefined;

/** Shows the console to a known person and the sign-in form to anyone else, at whatever address they came to. */
export function Entrance(props: { readonly token: string | undefined }) {
  const [exchanging, setExchanging] = useState(props.token !== undefined);
  const [failure, setFailure] = useState<Failure>();
  useEffect(() => {
    const finish = async (exchange: Promise<Failure | undefined>) => {
      setFailure(await exchange);
      setExchanging(false);
    };
    // A token works once: React's second mount must not spend it again.
    if (props.token !== undefined) void finish((firstExchange ??= signIn(props.token)));
    // A link that is opened in a tab which is here already changes only the fragment.
    const onHashChange = () => {
      const token = takeTokenFromAddress();
      if (token !== undefined) void finish(signIn(token));
    };
    addEventListener("hashchange", onHashChange);
    return () => removeEventListener("hashchange", onHashChange);
  }, [props.token]);

  const identity = useQuery({ ...query("identity.whoami", {}), enabled: !exchanging, staleTime: 60_000, retry: false });
  if (identity.data !== undefined && !isCode(identity.error, "AUTH_REQUIRED")) {
    return <RouterProvider router={router} />;
  }
  if (exchanging || identity.isPending) return null;
  const unreachable = identity.error !== null && !isCode(identity.error, "AUTH_REQUIRED");
  return (
    <SignInScreen
      failure={failure ?? (unreachable ? failureOf(identity.error) : undefined)}
      onSignIn={async (token) => setFailure(await signIn(token))}
    />
  );
}

/** Exchanges a token for the session cookie. Answers what went wrong, if anything did. */
async function signIn(token: string): Promise<Failure | undefined> {
  try {
    const identity = await client.call("signIn.create", { token });
    await queryClient.resetQueries({ predicate: ({ queryKey }) => queryKey[0] !== "identity.whoami" });
    queryClient.setQueryData(query("identity.whoami", {}).queryKey, identity);
    return undefined;
  } catch (thrown) {
    return failureOf(thrown);
  }
}
