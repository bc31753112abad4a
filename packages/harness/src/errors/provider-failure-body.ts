/** The error object of a provider, in a response or in a frame of its stream, as far as it could be read. */
export interface ProviderComplaint {
  readonly message?: string;
  /** Every word that names the error for programs: codes, types, statuses, reasons. The first is the most telling. */
  readonly names: readonly string[];
  /** How long to wait, where the body says so. */
  readonly retryAfterMs?: number;
  /** A quota that is counted by the day is used up. */
  readonly isDaily?: boolean;
}

export const noComplaint: ProviderComplaint = { names: [] };

/**
 * Reads the error out of a response body or a frame; servers disagree on its form:
 *
 * - OpenAI, Azure, OpenRouter, vLLM, llama-server: `{ error: { message, type, code, metadata? } }`
 * - Anthropic: `{ type: "error", error: { type, message, details: { error_code } } }`
 * - Google: `{ error: { code, message, status, details: [{ "@type", reason, retryDelay, violations }] } }`, or an array of it
 * - Mistral, older vLLM: `{ object: "error", message, type, code }`; frameworks: `{ message }`, `{ detail }`
 * - Ollama: `{ error: "…" }`
 *
 * Undefined where there is no error in it.
 */
export function complaintIn(body: unknown): ProviderComplaint | undefined {
  if (Array.isArray(body)) return body.length === 1 ? complaintIn(body[0]) : undefined;
  if (!isObject(body)) return undefined;
  const { error, message, detail, object } = body;
  if (typeof error === "string") return { message: error, names: [] };
  if (isObject(error)) return fieldsOf(error);
  if (object === "error" || typeof message === "string") return fieldsOf(body);
  if (typeof detail === "string") return { message: detail, names: [] };
  return Array.isArray(detail) ? { message: firstMessage(detail), names: [] } : undefined;
}

/** The same of a body that is still text; no complaint where it is not JSON. */
export function complaintInText(text: string): ProviderComplaint {
  try {
    return complaintIn(JSON.parse(text)) ?? noComplaint;
  } catch {
    return noComplaint;
  }
}

function fieldsOf(error: { readonly [field: string]: unknown }): ProviderComplaint {
  const { message, code, type, status, details, metadata, innererror } = error;
  const parts = (Array.isArray(details) ? details : [details]).filter(isObject);
  const violations = parts.flatMap(({ violations: list }) => (Array.isArray(list) ? list.filter(isObject) : []));
  const delay = parts.map(({ retryDelay }) => secondsOf(retryDelay)).find((seconds) => seconds !== undefined);
  const reasons = parts.flatMap(({ error_code: errorCode, reason }) => [errorCode, reason]);
  const more = isObject(metadata) ? [metadata["error_type"], metadata["flagged_input"] && "content_filter"] : [];
  const inner = isObject(innererror) ? [innererror["code"]] : [];
  return {
    ...(typeof message === "string" && { message }),
    names: [...reasons, ...more, ...inner, code, type, status].flatMap(nameOf),
    ...(delay !== undefined && { retryAfterMs: delay * 1000 }),
    ...(violations.some(({ quotaId }) => /PerDay/.test(String(quotaId))) && { isDaily: true }),
  };
}

function nameOf(value: unknown): string[] {
  const name = typeof value === "number" ? String(value) : value;
  return typeof name === "string" && name !== "" ? [name] : [];
}

/** A duration as protobuf writes it in JSON: `34.07s`. */
function secondsOf(value: unknown): number | undefined {
  return typeof value === "string" && /^\d+(\.\d+)?s$/.test(value) ? Number(value.slice(0, -1)) : undefined;
}

/** What FastAPI says of the first field that it does not accept. */
function firstMessage(detail: readonly unknown[]): string {
  const [first] = detail;
  return isObject(first) && typeof first["msg"] === "string" ? first["msg"] : "";
}

function isObject(value: unknown): value is { readonly [field: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
