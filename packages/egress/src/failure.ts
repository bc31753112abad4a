import { BenchtopError, type ErrorCode } from "@benchtop/protocol";

/**
 * What went wrong on the wire, in words for a person. Names the host, never a path, a header or anything of the content.
 * Errors that are of the taxonomy already pass through.
 */
export function transportFailure(
  thrown: unknown,
  host: string,
  place: { local: boolean; proxied: boolean },
): BenchtopError {
  if (BenchtopError.is(thrown)) return thrown;
  const reason = codeOf(thrown);
  const { code, message } = explain(reason, host, place);
  return new BenchtopError(code, message, { detail: { host, reason }, cause: thrown });
}

function explain(
  reason: string,
  host: string,
  place: { local: boolean; proxied: boolean },
): { code: ErrorCode; message: string } {
  if (place.proxied && (reason.startsWith("UND_ERR_PRX") || reason === "UND_ERR_ABORTED")) {
    return network(`The proxy did not open a connection to ${host}. Check the proxy's address and what it allows.`);
  }
  if (certificateProblems.test(reason)) {
    return network(
      `The certificate of ${host} cannot be trusted (${reason}), so nothing was sent. ` +
        "If your network has a certificate authority of its own, name its file in BENCHTOP_CA_FILE when you start Benchtop.",
    );
  }
  switch (reason) {
    case "ENOTFOUND":
      return network(`The name ${host} does not exist. Check the provider's base URL and this machine's network.`);
    case "EAI_AGAIN":
      return network(`The name ${host} cannot be looked up now. Check this machine's network, then retry.`);
    case "ECONNREFUSED":
      return network(
        place.local
          ? `Nothing listens at ${host}. Start the model server, or correct the provider's base URL.`
          : `${host} refused the connection. Retry, or check the provider's base URL.`,
      );
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "ENETDOWN":
    case "EADDRNOTAVAIL":
      return network(`${host} cannot be reached from this network. Check the connection, then retry.`);
    case "ETIMEDOUT":
    case "UND_ERR_CONNECT_TIMEOUT":
      return network(`${host} did not accept a connection in time. Check the connection, then retry.`);
    case "EPROTO":
    case "ERR_SSL_WRONG_VERSION_NUMBER":
    case "ERR_SSL_PACKET_LENGTH_TOO_LONG":
      return network(`${host} does not speak HTTPS at this port. Check the provider's base URL.`);
    case "UND_ERR_HEADERS_TIMEOUT":
      return provider(`${host} took the request and did not answer in time. Retry, or use another model.`);
    case "UND_ERR_BODY_TIMEOUT":
      return provider(`${host} stopped in the middle of its answer. Retry, or use another model.`);
    case "UND_ERR_HEADERS_OVERFLOW":
      return provider(`${host} sent more headers than are accepted.`);
    default:
      if (reason.startsWith("HPE_") || reason.startsWith("UND_ERR_RES")) {
        return provider(`${host} did not answer with valid HTTP. Check the provider's base URL.`);
      }
      return network(`The connection to ${host} broke (${reason}). Retry.`);
  }
}

const network = (message: string) => ({ code: "NETWORK_UNAVAILABLE" as const, message });
const provider = (message: string) => ({ code: "PROVIDER_UNAVAILABLE" as const, message });

const certificateProblems =
  /CERT|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY|DECODE|DECRYPT)|ERR_TLS_|ERR_SSL_(?:TLSV1_ALERT|SSLV3_ALERT)|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE/;

/** Node's and undici's errors have a `code`; a failed race of several addresses holds one for each in `errors`. */
function codeOf(thrown: unknown): string {
  if (typeof thrown !== "object" || thrown === null) return "UNKNOWN";
  if ("code" in thrown && typeof thrown.code === "string" && thrown.code !== "") return thrown.code;
  if ("errors" in thrown && Array.isArray(thrown.errors) && thrown.errors.length > 0) return codeOf(thrown.errors[0]);
  if ("cause" in thrown && thrown.cause !== undefined) return codeOf(thrown.cause);
  return thrown instanceof Error ? thrown.name : "UNKNOWN";
}
