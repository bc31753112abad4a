import { createEgress, type EgressOptions } from "@benchtop/egress";
import { Secret } from "@benchtop/models";
import { BenchtopError } from "@benchtop/protocol";
import type { BrowserSession } from "../api/handler.ts";
import type { Claims } from "../identity/claims.ts";
import { Flows, flowLifetimeMs } from "./flow.ts";
import { hostsOf, IdentityProvider, type VerifiedClaims } from "./identity-provider.ts";
import type { OidcConfig } from "./oidc-config.ts";

/**
 * Signing in with the team's identity providers. The sign-in belongs to the browser that began it: a cookie of its own
 * (`HttpOnly`, `SameSite=Strict`, ten minutes) holds it, so that nobody can finish theirs in somebody else's browser.
 */
export class OidcSignIn {
  readonly #providers: ReadonlyMap<string, IdentityProvider>;
  readonly #flows = new Flows();
  readonly #close: () => Promise<void>;

  /** Throws `VALIDATION_FAILED` for a secret that is not in its environment variable. */
  constructor(options: {
    readonly configs: readonly OidcConfig[];
    readonly environment: Readonly<Record<string, string | undefined>>;
    /** How requests leave, and where they are recorded. */
    readonly egress: Omit<EgressOptions, "policy" | "consent" | "limits">;
  }) {
    const { configs, environment } = options;
    const allowedHosts = new Map(configs.map((config) => [config.name, hostsOf(config)]));
    // A gate of its own: a sign-in reaches identity providers alone, and nothing else reaches them.
    const egress = createEgress({
      ...options.egress,
      policy: () => ({ allowedHosts }),
      consent: { isConsented: () => false },
      purposes: new Set(["oidc"]),
      limits: { requestBytes: 64 * 1024, responseBytes: 1024 * 1024 },
    });
    this.#close = () => egress.close();
    this.#providers = new Map(
      configs.map((config) => [config.name, new IdentityProvider(config, egress, clientSecret(config, environment))]),
    );
  }

  methods(): { readonly name: string; readonly displayName: string }[] {
    return [...this.#providers.values()].map(({ config: { name, displayName } }) => ({ name, displayName }));
  }

  /** Where this browser is to go. Throws `NOT_FOUND`, and what `IdentityProvider.authorizationUrl` throws. */
  async start(name: string, invitation: string | undefined, browser: BrowserSession): Promise<{ url: string }> {
    const provider = this.#provider(name);
    const { origin } = browser;
    // A cookie has to hold it.
    if (invitation !== undefined && !/^[\w.-]{1,120}$/.test(invitation))
      throw startAgain("This invitation is not one of ours.");
    const redirectUri = `${origin ?? ""}/sign-in/oidc`;
    const { flow, cookie } = this.#flows.begin({ provider: name, redirectUri, invitation });
    browser.setCookie(cookieLine(cookie, flowLifetimeMs / 1000, browser.secure));
    return { url: await provider.authorizationUrl(flow) };
  }

  /** Who came back to this browser. Throws `AUTH_REQUIRED`, `PERMISSION_DENIED`, and what the gate throws. */
  async finish(parameters: string, browser: BrowserSession): Promise<Claims> {
    const flow = this.#flows.finish(browser.cookie(cookieName(browser.secure)));
    browser.setCookie(cookieLine("", 0, browser.secure));
    if (!flow) throw startAgain("This browser has begun no sign-in, or too long ago.");
    const provider = this.#provider(flow.provider);
    const claims = await provider.claims(flow, parameters);
    const { allowedDomains, defaultRole, defaultWorkspace } = provider.config;
    if (allowedDomains) checkDomain(claims, allowedDomains, provider.config);
    return {
      ...claims,
      invitation: flow.invitation,
      open:
        allowedDomains && defaultRole
          ? { domains: allowedDomains, workspaceId: defaultWorkspace, role: defaultRole }
          : undefined,
    };
  }

  async close(): Promise<void> {
    await this.#close();
  }

  #provider(name: string): IdentityProvider {
    const provider = this.#providers.get(name);
    if (provider) return provider;
    throw new BenchtopError("NOT_FOUND", "There is no such identity provider.", { phase: "settings" });
  }
}

function clientSecret(
  { name, clientSecretEnv }: OidcConfig,
  environment: Readonly<Record<string, string | undefined>>,
): Secret | undefined {
  if (clientSecretEnv === undefined) return undefined;
  const secret = environment[clientSecretEnv]?.trim();
  if (secret !== undefined && secret !== "") return new Secret(secret);
  throw new BenchtopError(
    "VALIDATION_FAILED",
    `The secret of the identity provider “${name}” is to be in ${clientSecretEnv}, which is empty.`,
    { phase: "settings", subphase: "oidc" },
  );
}

function checkDomain(
  { email, emailVerified }: VerifiedClaims,
  allowed: readonly string[],
  { name, displayName }: OidcConfig,
): void {
  const domain = email?.slice(email.lastIndexOf("@") + 1).toLowerCase();
  if (emailVerified && domain !== undefined && allowed.includes(domain)) return;
  throw new BenchtopError(
    "PERMISSION_DENIED",
    `${displayName} vouches for no address of yours that may sign in here. Ask the operator.`,
    { phase: "settings", subphase: "oidc", detail: { provider: name } },
  );
}

/** By TLS the browser itself keeps others (subdomains, plain http) from setting it: RFC 6265bis, 4.1.3.2. */
function cookieName(secure: boolean): string {
  return secure ? "__Host-benchtop_oidc" : "benchtop_oidc";
}

function cookieLine(value: string, maxAgeSeconds: number, secure: boolean): string {
  const attributes = ["Path=/", "HttpOnly", "SameSite=Strict", `Max-Age=${maxAgeSeconds}`];
  if (secure) attributes.push("Secure");
  return [`${cookieName(secure)}=${value}`, ...attributes].join("; ");
}

function startAgain(message: string): BenchtopError {
  return new BenchtopError("AUTH_REQUIRED", `${message} Start the sign-in again.`, {
    phase: "settings",
    subphase: "oidc",
    actions: ["retry"],
  });
}
