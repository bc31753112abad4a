import { connect, createClient } from "@benchtop/client";
import { BenchtopError, type ErrorInfo } from "@benchtop/protocol";

const unauthorizedListeners = new Set<() => void>();

/** Told whenever the daemon says that this browser is not signed in any more, whoever asked. */
export function onUnauthorized(listener: () => void): void {
  unauthorizedListeners.add(listener);
}

export function reportUnauthorized(): void {
  for (const listener of unauthorizedListeners) listener();
}

/** Here a refusal is the answer: a wrong token, or a session whose end is known already. */
const ownWords = /^\/api\/v1\/(whoami$|sign-in(\/|$)|invitations\/(look|accept)$)/;

/** `fetch` that reports a session which has ended. */
export async function watchedFetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(input, init);
  if (response.status === 401 && !ownWords.test(new URL(response.url).pathname)) reportUnauthorized();
  return response;
}

/** The daemon that served this page; the session cookie says who we are. */
export const client = createClient({ url: location.origin, fetch: watchedFetch });

/** Whatever is followed goes over one connection, of which a browser gives few to one server. */
export const live = connect({ url: location.origin, fetch: watchedFetch });

export type Failure = { readonly message: string } & ErrorInfo;

/** What any thrown value says to a person: message, code and actions. */
export function failureOf(thrown: unknown): Failure {
  const error = BenchtopError.from(thrown, "NETWORK_UNAVAILABLE");
  const lost = !BenchtopError.is(thrown) && thrown instanceof TypeError;
  return { message: lost ? "The daemon does not answer. Is it still running?" : error.message, ...error.info };
}

export function isCode(thrown: unknown, code: ErrorInfo["error_code"]): boolean {
  return BenchtopError.is(thrown) && thrown.code === code;
}
