import type { Egress, EgressContext } from "@benchtop/egress";
import { anthropicHeaders } from "@benchtop/harness";
import { BenchtopError } from "@benchtop/protocol";
import { credentialOf } from "./catalogue/credential.ts";
import type { CatalogueProvider } from "./catalogue/entry.ts";
import type { WireKind } from "./providers.ts";
import type { Secret } from "./secret.ts";

/** Who is asked, and with which key. */
export interface ListingProvider {
  readonly workspaceId: string;
  readonly name: string;
  readonly kind: WireKind;
  readonly baseUrl: string;
  readonly local: boolean;
  readonly apiKey: Secret | undefined;
  /** What the catalogue knows of it. */
  readonly entry?: CatalogueProvider | undefined;
}

/**
 * The ids a provider lists at `{base}/models`. No content is sent, only the key. Failures are of the taxonomy and say what to
 * do; what the provider wrote is never repeated, because some repeat the key.
 */
export async function listModels(
  egress: Egress,
  provider: ListingProvider,
  purpose: "provider-test" | "model-list",
  timeoutMs: number,
): Promise<string[]> {
  const host = new URL(provider.baseUrl).host;
  const { workspaceId, name: providerId, local } = provider;
  const context: EgressContext = { purpose, workspaceId, providerId, local };
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(tooSlow(host, provider.name, timeoutMs)), timeoutMs);
  try {
    const response = await egress.fetch(
      `${provider.baseUrl}/models${provider.kind === "anthropic-messages" ? "?limit=1000" : ""}`,
      { headers: { accept: "application/json", ...authorizationOf(provider) }, signal: timeout.signal },
      context,
    );
    if (!response.ok) {
      await response.body?.cancel();
      throw refusedBy(response, host, provider);
    }
    return modelIds(await response.text(), host, provider.name);
  } finally {
    clearTimeout(timer);
  }
}

function authorizationOf({ kind, apiKey, entry }: ListingProvider): Record<string, string> {
  const { apiKey: key, headers } = credentialOf(kind, entry, apiKey?.reveal());
  if (kind === "anthropic-messages") return { ...anthropicHeaders(key), ...headers };
  return { ...(key !== undefined && { authorization: `Bearer ${key}` }), ...headers };
}

function refusedBy(response: Response, host: string, provider: ListingProvider): BenchtopError {
  const { status } = response;
  const options = { phase: "settings", providerId: provider.name } as const;
  const detail = { host, status };
  if (status === 401 || status === 403) {
    return new BenchtopError(
      "PROVIDER_AUTH_FAILED",
      provider.apiKey === undefined
        ? `${host} wants an API key (status ${status}). Add the provider again with one: --api-key-env.`
        : `${host} does not accept the API key (status ${status}). Check it, then add the provider again with the right one.`,
      { ...options, detail },
    );
  }
  if (status === 429) {
    const retryAfterMs = retryAfter(response.headers.get("retry-after"));
    return new BenchtopError(
      "PROVIDER_RATE_LIMITED",
      `${host} takes no more requests for now (status 429). ${
        retryAfterMs === undefined ? "Retry later." : `Retry in ${Math.ceil(retryAfterMs / 1000)} s.`
      }`,
      { ...options, detail: { ...detail, ...(retryAfterMs !== undefined && { retry_after_ms: retryAfterMs }) } },
    );
  }
  if (status === 404 || status === 405) {
    return new BenchtopError(
      "PROVIDER_UNAVAILABLE",
      `${host} has no list of models at ${new URL(provider.baseUrl).pathname.replace(/\/$/, "")}/models (status ${status}). ` +
        "Check the base URL: it usually ends in /v1.",
      { ...options, retryable: false, actions: ["open_settings"], detail },
    );
  }
  return new BenchtopError(
    "PROVIDER_UNAVAILABLE",
    `${host} could not list its models (status ${status}). ${status >= 500 ? "Retry later." : "Check the base URL."}`,
    { ...options, retryable: status >= 500, detail },
  );
}

/** Seconds or a date (RFC 9110, 10.2.3), in milliseconds from now. */
function retryAfter(value: string | null): number | undefined {
  if (value === null) return undefined;
  const milliseconds = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(milliseconds) ? Math.max(0, Math.round(milliseconds)) : undefined;
}

/** `{ data: [{ id }] }` as OpenAI has it; what cannot be the name of a model is left out. */
function modelIds(text: string, host: string, providerId: string): string[] {
  const entries = dataOf(text);
  if (!entries) {
    throw new BenchtopError(
      "PROVIDER_UNAVAILABLE",
      `${host} answered with something that is no list of models. Check the base URL: it usually ends in /v1.`,
      { phase: "settings", providerId, retryable: false, actions: ["open_settings"], detail: { host } },
    );
  }
  const ids = entries.flatMap((entry: unknown) =>
    typeof entry === "object" && entry !== null && "id" in entry && typeof entry.id === "string" ? [entry.id] : [],
  );
  return [...new Set(ids.filter((id) => /^\S{1,255}$/.test(id)))].slice(0, 10_000);
}

function dataOf(text: string): readonly unknown[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const data = typeof value === "object" && value !== null && "data" in value ? value.data : undefined;
  return Array.isArray(data) ? data : undefined;
}

function tooSlow(host: string, providerId: string, timeoutMs: number): BenchtopError {
  return new BenchtopError("PROVIDER_UNAVAILABLE", `${host} did not answer within ${timeoutMs / 1000} s.`, {
    phase: "settings",
    providerId,
    detail: { host, timeoutMs },
  });
}
