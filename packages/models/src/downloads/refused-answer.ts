import type { BenchtopError } from "@benchtop/protocol";
import { refusal } from "../registry/refusals.ts";
import type { DownloadContext } from "./download-gate.ts";

/** What was asked for, as far as it helps to say why it was refused. */
export interface Asked {
  readonly context: DownloadContext;
  readonly repo?: string | undefined;
  readonly hasToken?: boolean | undefined;
}

/** What a status that is no success means, and what to do. The answer's own words are not shown: they may be anything. */
export function refusedAnswer({ status, headers }: Response, host: string, asked: Asked): BenchtopError {
  const retryAfter = retryAfterMs(headers);
  const detail = { host, status, ...(retryAfter !== undefined && { retry_after_ms: retryAfter }) };
  if (status === 429) {
    return refusal("PROVIDER_RATE_LIMITED", `${host} asks for a pause: too much was fetched in a short time.`, {
      detail,
    });
  }
  if (status === 401 || status === 403) return denied(host, headers, asked, detail);
  if (status === 404 || status === 410) return missing(host, headers, asked, detail);
  const retryable = status >= 500 || status === 408 || status === 425;
  return refusal("PROVIDER_UNAVAILABLE", `${host} answered with status ${status} instead of the model.`, {
    retryable,
    detail,
  });
}

type Detail = Readonly<Record<string, string | number>>;

/** Hugging Face says more in a header than in the status. */
function denied(host: string, headers: Headers, { context, repo, hasToken }: Asked, detail: Detail): BenchtopError {
  const code = headers.get("x-error-code");
  if (context.place === "huggingface" && code === "GatedRepo") {
    return refusal(
      "PROVIDER_AUTH_FAILED",
      `Whoever made ${repo ?? "this model"} wants you to accept conditions first. Accept them on its page at ${host}` +
        (hasToken === true ? " with the account of your token." : ", and give Benchtop a token of your account there."),
      { detail },
    );
  }
  if (context.place === "huggingface" && code !== "RevisionNotFound" && code !== "EntryNotFound") {
    return refusal(
      hasToken === true ? "PROVIDER_AUTH_FAILED" : "NOT_FOUND",
      hasToken === true
        ? `${host} does not show ${repo ?? "this model"} to the account of your token, or the token is no longer good.`
        : `${host} has no ${repo ?? "such model"}, or shows it to some accounts only. Check the name; for a private model, give Benchtop a token.`,
      { detail },
    );
  }
  return refusal("PROVIDER_AUTH_FAILED", `${host} does not give this file to everybody (status ${detail["status"]}).`, {
    detail,
  });
}

function missing(host: string, headers: Headers, { context, repo }: Asked, detail: Detail): BenchtopError {
  const found = { RevisionNotFound: "revision", EntryNotFound: "file" }[headers.get("x-error-code") ?? ""];
  const what =
    context.place === "url"
      ? "such file"
      : found === undefined
        ? (repo ?? "such model")
        : `such ${found}${repo === undefined ? "" : ` in ${repo}`}`;
  return refusal("NOT_FOUND", `${host} has no ${what}. Check the name.`, { detail });
}

/** Seconds or a date (RFC 9110, 10.2.3). */
export function retryAfterMs(headers: Headers): number | undefined {
  const value = headers.get("retry-after");
  if (value === null) return undefined;
  if (/^\d{1,8}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
