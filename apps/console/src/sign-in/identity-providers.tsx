import { queryOptions, useQuery } from "@tanstack/react-query";
import { LogIn } from "lucide-react";
import { useState } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { query } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { FailureBox } from "../components/failure-box.tsx";
import { keepReturnAddress } from "./arrival.ts";

export const signInMethods = queryOptions({ ...query("signIn.methods", {}), staleTime: 5 * 60_000, retry: false });

/** The identity providers that are configured here; none is the common case. */
export function useIdentityProviders() {
  return useQuery(signInMethods).data?.oidc ?? [];
}

/** A button for each identity provider: it sends this browser there, and it comes back to where it was. */
export function IdentityProviders(props: { readonly invitation?: string; readonly verb: string }) {
  const providers = useIdentityProviders();
  const [leaving, setLeaving] = useState<string>();
  const [failure, setFailure] = useState<{ readonly of: Failure; readonly name: string }>();
  const start = async (name: string) => {
    setLeaving(name);
    setFailure(undefined);
    try {
      const { url } = await client.call("signIn.startOidc", {
        name,
        ...(props.invitation !== undefined && { invitation: props.invitation }),
      });
      keepReturnAddress();
      location.assign(url);
    } catch (thrown) {
      setFailure({ of: failureOf(thrown), name });
      setLeaving(undefined);
    }
  };
  return (
    <div className="flex flex-col gap-2">
      {providers.map(({ name, displayName }, index) => (
        <Button
          key={name}
          tone={index === 0 ? "primary" : "default"}
          busy={leaving === name}
          icon={<LogIn size={14} aria-hidden />}
          className="w-full"
          onClick={() => void start(name)}
        >
          {props.verb} {displayName}
        </Button>
      ))}
      {failure !== undefined && <FailureBox failure={failure.of} handlers={{ retry: () => start(failure.name) }} />}
    </div>
  );
}
