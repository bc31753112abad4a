/** What the address brought when the page was opened. */
export type Arrival =
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "invitation"; readonly token: string }
  /** Back from an identity provider, with its parameters. */
  | { readonly kind: "identity-provider"; readonly parameters: string };

const returnKey = "benchtop.return-to";

/** Takes what proves something out of the address bar and the history before anything else happens. */
export function takeArrival(): Arrival | undefined {
  if (location.pathname === "/sign-in/oidc") {
    const parameters = location.search.slice(1);
    history.replaceState(history.state, "", takeReturnAddress());
    return parameters === "" ? undefined : { kind: "identity-provider", parameters };
  }
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get("token");
  const invitation = fragment.get("invitation");
  if (token === null && invitation === null) return undefined;
  history.replaceState(history.state, "", location.pathname + location.search);
  if (token !== null) return { kind: "token", token };
  return invitation === null ? undefined : { kind: "invitation", token: invitation };
}

/** Keeps where the person is, for when an identity provider sends them back. */
export function keepReturnAddress(): void {
  sessionStorage.setItem(returnKey, location.pathname + location.search);
}

function takeReturnAddress(): string {
  const kept = sessionStorage.getItem(returnKey);
  sessionStorage.removeItem(returnKey);
  return kept !== null && /^\/(?!\/)/.test(kept) ? kept : "/";
}
