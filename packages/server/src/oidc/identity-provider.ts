import type { Egress } from "@benchtop/egress";
import type { Secret } from "@benchtop/models";
import { BenchtopError } from "@benchtop/protocol";
import type { Configuration, ServerMetadata } from "openid-client";
import type { Claims } from "../identity/claims.ts";
import type { Flow } from "./flow.ts";
import type { OidcConfig } from "./oidc-config.ts";

const timeoutSeconds = 10;
const metadataLifetimeMs = 5 * 60_000;

/** What a provider said of a person, before anything is made of it. */
export type VerifiedClaims = Pick<Claims, "issuer" | "subject" | "email" | "emailVerified" | "displayName">;

/**
 * One identity provider: authorization code flow with PKCE, state and nonce (OpenID Connect Core, RFC 9700), by `openid-client`.
 * Every request to it passes the egress gate. Signatures of ID tokens are checked, with keys that are fetched anew for each
 * sign-in, so that a rotated key is no trouble.
 */
export class IdentityProvider {
  readonly config: OidcConfig;
  readonly #egress: Egress;
  readonly #clientSecret: Secret | undefined;
  #metadata: { readonly value: Promise<ServerMetadata>; readonly until: number } | undefined;

  constructor(config: OidcConfig, egress: Egress, clientSecret: Secret | undefined) {
    this.config = config;
    this.#egress = egress;
    this.#clientSecret = clientSecret;
  }

  /** Where to send the browser. Throws as the gate does, and `PROVIDER_UNAVAILABLE` for a provider that cannot be used. */
  async authorizationUrl(flow: Flow): Promise<string> {
    return await this.#told(async () => {
      const { buildAuthorizationUrl, calculatePKCECodeChallenge } = await import("openid-client");
      const url = buildAuthorizationUrl(await this.#configuration(), {
        redirect_uri: flow.redirectUri,
        scope: ["openid", ...this.config.scopes].join(" "),
        state: flow.state,
        nonce: flow.nonce,
        code_challenge: await calculatePKCECodeChallenge(flow.codeVerifier),
        code_challenge_method: "S256",
      });
      // The browser is sent there with our client's name on it: not to where a discovery document pleases.
      if (!hostsOf(this.config).has(url.host) || url.protocol !== new URL(this.config.issuer).protocol) {
        throw this.#unusable(`it wants people to sign in at ${url.host}, which is not among its hosts`);
      }
      return url.href;
    });
  }

  /** Who came back. `parameters`: the query with which the provider sent the browser. Throws `AUTH_REQUIRED` for what proves nothing. */
  async claims(flow: Flow, parameters: string): Promise<VerifiedClaims> {
    return await this.#told(async () => {
      const { authorizationCodeGrant, fetchUserInfo } = await import("openid-client");
      const configuration = await this.#configuration();
      const tokens = await authorizationCodeGrant(configuration, new URL(`${flow.redirectUri}?${parameters}`), {
        expectedState: flow.state,
        expectedNonce: flow.nonce,
        pkceCodeVerifier: flow.codeVerifier,
        idTokenExpected: true,
      });
      const token = tokens.claims();
      if (!token) throw this.#notAccepted("no_id_token");
      const more =
        typeof token["email"] !== "string" && configuration.serverMetadata().userinfo_endpoint !== undefined
          ? await fetchUserInfo(configuration, tokens.access_token, token.sub)
          : undefined;
      const said = { ...more, ...token } as Readonly<Record<string, unknown>>;
      return {
        issuer: token.iss,
        subject: token.sub,
        email: text(said["email"], 254),
        emailVerified: said["email_verified"] === true,
        displayName: text(said["name"], 200) ?? text(said["preferred_username"], 200),
      };
    });
  }

  async #configuration(): Promise<Configuration> {
    const client = await import("openid-client");
    const metadata = await this.#discovered();
    const { clientId, local } = this.config;
    const configuration = new client.Configuration(metadata, clientId, {}, await this.#authentication(metadata));
    configuration[client.customFetch] = this.#fetch;
    configuration.timeout = timeoutSeconds;
    client.enableNonRepudiationChecks(configuration);
    if (local) client.allowInsecureRequests(configuration);
    return configuration;
  }

  async #authentication(metadata: ServerMetadata) {
    const { ClientSecretBasic, ClientSecretPost, None } = await import("openid-client");
    if (this.#clientSecret === undefined) return None();
    const methods = metadata.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
    const authenticate = methods.includes("client_secret_basic") ? ClientSecretBasic : ClientSecretPost;
    return authenticate(this.#clientSecret.reveal());
  }

  /** The discovery document, asked for once in a while and by one request at a time. */
  #discovered(now = Date.now()): Promise<ServerMetadata> {
    if (this.#metadata && this.#metadata.until > now) return this.#metadata.value;
    const value = this.#discover();
    const kept = { value, until: now + metadataLifetimeMs };
    this.#metadata = kept;
    value.catch(() => {
      if (this.#metadata === kept) this.#metadata = undefined;
    });
    return value;
  }

  async #discover(): Promise<ServerMetadata> {
    const { allowInsecureRequests, customFetch, discovery, None } = await import("openid-client");
    const { issuer, clientId, local } = this.config;
    const found = await discovery(new URL(issuer), clientId, {}, None(), {
      [customFetch]: this.#fetch,
      timeout: timeoutSeconds,
      ...(local && { execute: [allowInsecureRequests] }),
    });
    return found.serverMetadata();
  }

  readonly #fetch = async (
    url: string,
    {
      method,
      headers,
      body,
      signal,
    }: { method: string; headers: Record<string, string>; body?: unknown; signal?: AbortSignal },
  ): Promise<Response> => {
    const { name, local } = this.config;
    const form = body instanceof URLSearchParams || typeof body === "string" ? String(body) : null;
    return await this.#egress.fetch(
      url,
      { method, headers, body: form, ...(signal && { signal }) },
      // Sign-ins belong to the installation; its first workspace keeps their record.
      { purpose: "oidc", workspaceId: "default", providerId: name, local },
    );
  };

  /** In words of ours: what the library and the provider write may hold codes and tokens. */
  async #told<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (thrown) {
      const ours = causes(thrown).find((cause) => BenchtopError.is(cause));
      if (ours?.info.subphase === "oidc") throw ours;
      if (ours?.code === "NETWORK_UNAVAILABLE" || ours?.code === "PROVIDER_UNAVAILABLE") throw this.#unreachable(ours);
      if (ours?.code === "EGRESS_BLOCKED_BY_POLICY") throw this.#notAllowed(ours);
      if (ours) throw ours;
      const code = codeOf(thrown);
      if (code === "OAUTH_TIMEOUT" || causes(thrown).some(isTimeout)) throw this.#unreachable(thrown);
      if (code === "OAUTH_AUTHORIZATION_RESPONSE_ERROR") throw this.#declined(thrown);
      if (code === undefined || !code.startsWith("OAUTH_")) {
        if (thrown instanceof TypeError) throw this.#unusable("what it says of itself is not usable");
        throw thrown;
      }
      if (code === "OAUTH_RESPONSE_IS_NOT_CONFORM" || code === "OAUTH_RESPONSE_IS_NOT_JSON") {
        throw this.#unusable(`its answer is not one that the protocol knows (${code})`);
      }
      throw this.#notAccepted(code);
    }
  }

  #notAccepted(code: string): BenchtopError {
    return new BenchtopError(
      "AUTH_REQUIRED",
      `What ${this.config.displayName} answered does not prove who you are. Start the sign-in again.`,
      { phase: "settings", subphase: "oidc", actions: ["retry"], detail: { provider: this.config.name, reason: code } },
    );
  }

  #declined(thrown: unknown): BenchtopError {
    const error = thrown instanceof Error && "error" in thrown ? String(thrown.error) : "";
    const reason = /^[a-z_]{1,60}$/.test(error) ? error : "unknown";
    return new BenchtopError(
      "AUTH_REQUIRED",
      `${this.config.displayName} did not sign you in (${reason}). Try again.`,
      {
        phase: "settings",
        subphase: "oidc",
        actions: ["retry"],
        detail: { provider: this.config.name, reason },
      },
    );
  }

  #unreachable(cause: unknown): BenchtopError {
    const { displayName, name, issuer } = this.config;
    const { host } = new URL(issuer);
    return new BenchtopError(
      "PROVIDER_UNAVAILABLE",
      `${displayName} (${host}) cannot be reached now. Try again; whoever has a token or a link can sign in with that meanwhile.`,
      { phase: "settings", subphase: "oidc", actions: ["retry"], detail: { provider: name, host }, cause },
    );
  }

  #notAllowed(cause: BenchtopError): BenchtopError {
    const host = String(cause.info.detail?.["host"] ?? "that host");
    return new BenchtopError(
      "EGRESS_BLOCKED_BY_POLICY",
      `${this.config.displayName} wants to be asked at ${host}, which is not among its hosts. Its operator can name it in “hosts”.`,
      {
        phase: "settings",
        subphase: "oidc",
        actions: ["open_settings"],
        detail: { provider: this.config.name, host },
        cause,
      },
    );
  }

  #unusable(why: string): BenchtopError {
    const { displayName, name } = this.config;
    return new BenchtopError("PROVIDER_UNAVAILABLE", `${displayName} cannot be used for signing in: ${why}.`, {
      phase: "settings",
      subphase: "oidc",
      retryable: false,
      actions: ["open_settings"],
      detail: { provider: name },
    });
  }
}

/** Where a provider may be asked: its issuer's host, and what the operator named beside it. */
export function hostsOf({ issuer, hosts }: OidcConfig): ReadonlySet<string> {
  return new Set([new URL(issuer).host, ...hosts]);
}

function text(value: unknown, maxLength: number): string | null {
  return typeof value === "string" && value.trim() !== "" && value.length <= maxLength ? value.trim() : null;
}

function causes(thrown: unknown): Error[] {
  const found: Error[] = [];
  for (let cause = thrown; cause instanceof Error && found.length < 10; cause = cause.cause) found.push(cause);
  return found;
}

function codeOf(thrown: unknown): string | undefined {
  for (const cause of causes(thrown)) {
    if ("code" in cause && typeof cause.code === "string" && /^OAUTH_[A-Z_]{1,80}$/.test(cause.code)) return cause.code;
  }
  return undefined;
}

const isTimeout = (cause: Error): boolean => cause.name === "TimeoutError" || cause.name === "AbortError";
