import { createClient } from "@benchtop/client";
import { BenchtopError, type ErrorInfo } from "@benchtop/protocol";

/** The daemon that served this page; the session cookie says who we are. */
export const client = createClient({ url: location.origin });

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
