import { useQuery } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";
import { useState, type FormEvent } from "react";
import type { Failure } from "../api/client.ts";
import { Button } from "../components/button.tsx";
import { FailureBox } from "../components/failure-box.tsx";
import { TextField } from "../components/field.tsx";
import { Doorway, Or } from "./doorway.tsx";
import { IdentityProviders, signInMethods } from "./identity-providers.tsx";

export function SignInScreen(props: {
  readonly failure: Failure | undefined;
  /** A session was here and has ended: signing in leads back to where the person was. */
  readonly ended: boolean;
  readonly onSignIn: (token: string) => Promise<void>;
}) {
  const { failure } = props;
  const [token, setToken] = useState("");
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const methods = useQuery(signInMethods);
  const withProviders = methods.data !== undefined && methods.data.oidc.length > 0;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (token.trim() === "" || busy) return;
    setBusy(true);
    setTried(true);
    void props.onSignIn(token.trim()).finally(() => setBusy(false));
  };
  // Nothing moves below a hand that is about to press.
  if (methods.isPending) return null;
  const wrong = tried && failure?.error_code === "AUTH_REQUIRED";
  return (
    <Doorway
      title="Sign in to Benchtop"
      note={
        <>
          <p>
            Whoever runs Benchtop finds the token on its machine, in{" "}
            <code className="rounded-sm border border-line bg-surface px-1 py-0.5 text-xs whitespace-nowrap text-ink">
              $BENCHTOP_HOME/bootstrap-token
            </code>
            ; only its owner can read it. The address that <code className="text-xs text-ink">benchtop up</code> prints
            signs in without it.
          </p>
          <p className="mt-2">Members ask for a sign-in link, or use an API key of theirs.</p>
        </>
      }
    >
      {props.ended && failure === undefined && (
        <p role="status" className="mb-4 rounded-lg border border-draft-line bg-draft-soft px-3 py-2">
          <span className="font-medium text-draft">This browser is signed out.</span> Sign in, and you are back where
          you were.
        </p>
      )}
      {failure !== undefined && !wrong && (
        <div className="mb-4">
          <FailureBox failure={failure} handlers={{ retry: () => location.reload() }} />
        </div>
      )}
      {withProviders && (
        <>
          <IdentityProviders verb="Continue with" />
          <Or />
        </>
      )}
      <form onSubmit={submit}>
        <TextField
          label="Token or API key"
          name="token"
          type="password"
          autoComplete="current-password"
          autoFocus={!withProviders}
          spellCheck={false}
          value={token}
          onChange={(event) => setToken(event.target.value)}
          error={wrong ? "This token is not valid. A link works once; the bootstrap token works always." : undefined}
        />
        <Button
          type="submit"
          tone={withProviders ? "default" : "primary"}
          busy={busy}
          className="mt-4 w-full"
          icon={<KeyRound size={14} aria-hidden />}
        >
          Sign in
        </Button>
      </form>
    </Doorway>
  );
}
