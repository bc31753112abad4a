import { BenchtopError, type ErrorCode, type ErrorOptions } from "@benchtop/protocol";

/**
 * A request that HTTP itself has a better word for than the taxonomy: the code says what to do about it, the status is
 * the protocol's (404, 405, 408, 413, 415, 421, 429, 503).
 */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly error: BenchtopError;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: ErrorCode,
    message: string,
    options: ErrorOptions & { readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    const { headers = {}, ...rest } = options;
    this.status = status;
    this.headers = headers;
    this.error = new BenchtopError(code, message, { phase: "settings", ...rest });
  }
}

/** What every transport tells a caller of a daemon that stops. */
export function stopping(): Refusal {
  return new Refusal(503, "NETWORK_UNAVAILABLE", "The daemon is stopping.", {
    retryable: true,
    headers: { Connection: "close" },
  });
}
