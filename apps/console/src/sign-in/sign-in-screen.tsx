import { KeyRound } from "lucide-react";
import { useState, type FormEvent } from "react";
import type { Failure } from "../api/client.ts";
import { Button } from "../components/button.tsx";
import { TextField } from "../components/field.tsx";
import { Mark } from "../frame/mark.tsx";

export function SignInScreen(props: {
  readonly failure: Failure | undefined;
  readonly onSignIn: (token: string) => Promise<void>;
}) {
  const [token, setToken] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (token.trim() === "") return;
    setBusy(true);
    void props.onSignIn(token.trim()).finally(() => setBusy(false));
  };
  const wrong = props.failure?.error_code === "AUTH_REQUIRED";
  return (
    <main className="flex h-full items-center justify-center overflow-y-auto p-4">
      <div className="w-full max-w-96">
        <div className="mb-6 flex items-center gap-2.5">
          <Mark size={30} />
          <h1 className="text-xl font-semibold tracking-tight">Sign in to Benchtop</h1>
        </div>
        <form onSubmit={submit} className="rounded-xl border border-line bg-surface p-5 shadow-raised">
          <TextField
            label="Token"
            name="token"
            type="password"
            autoComplete="current-password"
            autoFocus
            spellCheck={false}
            value={token}
            onChange={(event) => setToken(event.target.value)}
            error={
              props.failure === undefined
                ? undefined
                : wrong
                  ? "This token is not valid. A link works once; the bootstrap token works always."
                  : props.failure.message
            }
          />
          <Button
            type="submit"
            tone="primary"
            busy={busy}
            className="mt-4 w-full"
            icon={<KeyRound size={14} aria-hidden />}
          >
            Sign in
          </Button>
        </form>
        <p className="mt-4 text-sm text-muted">
          The token lies on the machine that runs Benchtop, in{" "}
          <code className="rounded-sm border border-line bg-surface px-1 py-0.5 text-xs text-ink">
            $BENCHTOP_HOME/bootstrap-token
          </code>
          . Only its owner can read it. The address that <code className="text-xs text-ink">benchtop up</code> prints
          signs you in without it.
        </p>
      </div>
    </main>
  );
}
