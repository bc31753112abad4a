/** The one-time token of `/#token=…`, taken out of the address bar and the history before anything else happens. */
export function takeTokenFromAddress(): string | undefined {
  const parameters = new URLSearchParams(location.hash.slice(1));
  const token = parameters.get("token");
  if (token === null) return undefined;
  history.replaceState(history.state, "", location.pathname + location.search);
  return token;
}
