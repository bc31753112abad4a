import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Provider } from "oidc-provider";

/** A person as the identity provider knows them; what they are called there is their subject. */
export interface Account {
  readonly email?: string;
  readonly email_verified?: boolean;
  readonly name?: string;
}

export interface TestIssuer extends AsyncDisposable {
  readonly issuer: string;
  /** Paths that were asked for. */
  readonly requests: string[];
}

/** A real OpenID provider (`oidc-provider`) on loopback, with its own sign-in and consent pages. */
export async function startOidcProvider(options: {
  readonly redirectUri: string;
  readonly accounts: Readonly<Record<string, Account>>;
  readonly clientSecret?: string;
}): Promise<TestIssuer> {
  const server = createServer();
  const issuer = await listen(server);
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: "benchtop",
        redirect_uris: [options.redirectUri],
        response_types: ["code"],
        grant_types: ["authorization_code"],
        ...(options.clientSecret === undefined
          ? { token_endpoint_auth_method: "none" as const }
          : { client_secret: options.clientSecret }),
      },
    ],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...options.accounts[id] }) }),
    pkce: { required: () => true },
    cookies: { keys: [randomBytes(16).toString("hex")] },
    jwks: { keys: [{ ...newKey("k1").privateKey.export({ format: "jwk" }), kid: "k1", use: "sig", alg: "RS256" }] },
  });
  const requests: string[] = [];
  const handle = provider.callback();
  server.on("request", (request, response) => {
    requests.push(`${request.method} ${request.url?.split("?")[0]}`);
    void handle(request, response);
  });
  return { issuer, requests, [Symbol.asyncDispose]: () => close(server) };
}

/** Signs in at the provider's pages as a browser does, and returns the query with which it is sent back. */
export async function signInAt(url: string, login: string): Promise<string> {
  const cookies = new Map<string, string>();
  let [address, body]: [string, string | undefined] = [url, undefined];
  for (let step = 0; step < 12; step++) {
    const response = await globalThis.fetch(address, {
      method: body === undefined ? "GET" : "POST",
      redirect: "manual",
      headers: {
        cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; "),
        ...(body !== undefined && { "content-type": "application/x-www-form-urlencoded" }),
      },
      ...(body !== undefined && { body }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair = ""] = line.split(";");
      const [name = "", value = ""] = pair.split("=", 2);
      if (value === "") cookies.delete(name);
      else cookies.set(name, value);
    }
    const location = response.headers.get("location");
    const page = await response.text();
    if (location !== null) {
      const next = new URL(location, address);
      if (next.pathname === "/sign-in/oidc") return next.search.slice(1);
      [address, body] = [next.href, undefined];
      continue;
    }
    const action = /action="([^"]+)"/.exec(page)?.[1];
    if (action === undefined) throw new Error(`No form at ${address}: ${response.status}`);
    address = new URL(action.replaceAll("&amp;", "&"), address).href;
    body = page.includes('name="login"') ? `prompt=login&login=${login}&password=any` : "prompt=consent";
  }
  throw new Error("The provider asks without end.");
}

export interface ScriptedIssuer extends TestIssuer {
  /** What the next ID token says, beside what it should. */
  tamper: Record<string, unknown>;
  /** How it is signed next. */
  signing: { key: KeyObject; kid: string; alg: string };
  /** Changes of the discovery document. */
  discovery: Record<string, unknown>;
  /** What `/token` answers instead, where it is to misbehave. */
  token: ((request: IncomingMessage) => { status: number; body: string; location?: string } | undefined) | undefined;
  /** Takes a new key, and forgets the old one. */
  rotate(): void;
  /** The query for a browser that was sent to `url`, as if somebody had signed in. */
  answerTo(url: string): string;
}

/** An issuer that signs what a test wants it to: what no honest provider would. */
export async function startScriptedIssuer(): Promise<ScriptedIssuer> {
  const server = createServer();
  const issuer = await listen(server);
  let published = newKey("a");
  const nonces = new Map<string, { nonce: string; challenge: string }>();
  const self: ScriptedIssuer = {
    issuer,
    requests: [],
    tamper: {},
    signing: { key: published.privateKey, kid: "a", alg: "RS256" },
    discovery: {},
    token: undefined,
    rotate() {
      published = newKey(randomBytes(3).toString("hex"));
      self.signing = { key: published.privateKey, kid: published.kid, alg: "RS256" };
    },
    answerTo(url) {
      const asked = new URL(url).searchParams;
      const code = randomBytes(8).toString("hex");
      nonces.set(code, { nonce: asked.get("nonce") ?? "", challenge: asked.get("code_challenge") ?? "" });
      return new URLSearchParams({ code, state: asked.get("state") ?? "", iss: issuer }).toString();
    },
    [Symbol.asyncDispose]: () => close(server),
  };
  server.on("request", (request, response) => {
    void (async () => {
      const path = request.url?.split("?")[0] ?? "";
      self.requests.push(`${request.method} ${path}`);
      if (path === "/.well-known/openid-configuration") {
        return sendJson(response, {
          issuer,
          authorization_endpoint: `${issuer}/auth`,
          token_endpoint: `${issuer}/token`,
          jwks_uri: `${issuer}/jwks`,
          response_types_supported: ["code"],
          subject_types_supported: ["public"],
          id_token_signing_alg_values_supported: ["RS256"],
          code_challenge_methods_supported: ["S256"],
          authorization_response_iss_parameter_supported: true,
          ...self.discovery,
        });
      }
      if (path === "/jwks") {
        return sendJson(response, {
          keys: [{ ...published.publicKey.export({ format: "jwk" }), kid: published.kid, use: "sig", alg: "RS256" }],
        });
      }
      const form = new URLSearchParams(await bodyOf(request));
      const instead = self.token?.(request);
      if (instead) {
        response.statusCode = instead.status;
        response.setHeader("content-type", "application/json");
        if (instead.location !== undefined) response.setHeader("location", instead.location);
        return response.end(instead.body);
      }
      const begun = nonces.get(form.get("code") ?? "");
      nonces.delete(form.get("code") ?? "");
      const verifier = createHash("sha256")
        .update(form.get("code_verifier") ?? "")
        .digest("base64url");
      if (!begun || begun.challenge !== verifier) {
        response.statusCode = 400;
        return sendJson(response, { error: "invalid_grant" });
      }
      const now = Math.floor(Date.now() / 1000);
      const claims = {
        iss: issuer,
        aud: "benchtop",
        sub: "mallory",
        iat: now,
        exp: now + 300,
        nonce: begun.nonce,
        email: "mallory@team.example",
        email_verified: true,
        name: "Mallory",
        ...self.tamper,
      };
      return sendJson(response, {
        access_token: "at-planted",
        token_type: "Bearer",
        expires_in: 60,
        id_token: jwt(claims, self.signing),
      });
    })();
  });
  return self;
}

function newKey(kid: string): { kid: string; publicKey: KeyObject; privateKey: KeyObject } {
  return { kid, ...generateKeyPairSync("rsa", { modulusLength: 2048 }) };
}

function sendJson(response: ServerResponse, body: unknown): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(body));
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function jwt(claims: object, { key, kid, alg }: ScriptedIssuer["signing"]): string {
  const content = `${part({ alg, kid, typ: "JWT" })}.${part(claims)}`;
  const signature = alg === "none" ? "" : sign("sha256", Buffer.from(content), key).toString("base64url");
  return `${content}.${signature}`;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
