import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { redactText } from "./findings.ts";
import { secrets } from "./secrets.ts";

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** Letters as random as a key's, the same in every run. No key is written out here: scanners would report this file. */
function random(length: number, alphabet = alphanumeric, seed = ""): string {
  let result = "";
  for (let block = 0; result.length < length; block += 1) {
    for (const byte of createHash("sha256").update(`${seed}${length}${block}`).digest())
      result += alphabet[byte % alphabet.length];
  }
  return result.slice(0, length);
}

const hex = (length: number, seed = "") => random(length, "0123456789abcdef", seed);
const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
const jwt = [encoded({ alg: "HS256", typ: "JWT" }), encoded({ sub: "1234", iat: 1_700_000_000 }), random(43)].join(".");
const pem = (type: string) =>
  `-----BEGIN ${type}-----\n${random(64, alphanumeric, "a")}\n${random(64, alphanumeric, "b")}\n-----END ${type}-----`;

const positives: readonly (readonly [kind: string, text: string, secret: string])[] = (
  [
    ["aws-access-key", "AKIA" + random(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")],
    ["github-token", "ghp_" + random(36)],
    ["github-token", `github_pat_${random(22)}_${random(59)}`],
    ["gitlab-token", "glpat-" + random(20)],
    ["slack-token", `xoxb-${random(12, "0123456789")}-${random(24)}`],
    [
      "slack-webhook",
      `https://hooks.slack.com/services/T${random(8, "ABCDEFGH1234567")}/B${random(8, "ABCDEFGH1234567")}/${random(24)}`,
    ],
    ["anthropic-key", `sk-ant-api03-${random(95)}`],
    ["openai-key", `sk-proj-${random(74)}`],
    ["openai-key", `sk-${random(20)}T3BlbkFJ${random(20, alphanumeric, "x")}`],
    ["google-api-key", "AIza" + random(35)],
    ["stripe-key", "sk_live_" + random(24)],
    ["npm-token", "npm_" + random(36)],
    ["hugging-face-token", "hf_" + random(34, alphanumeric.slice(0, 52))],
    ["sendgrid-key", `SG.${random(22)}.${random(43)}`],
    ["digitalocean-token", "dop_v1_" + hex(64)],
    ["telegram-token", `${random(10, "123456789")}:AA${random(33)}`],
    ["jwt", jwt],
    ["private-key", pem("PRIVATE KEY")],
    ["private-key", pem("RSA PRIVATE KEY")],
    ["private-key", pem("OPENSSH PRIVATE KEY")],
    ["private-key", pem("EC PRIVATE KEY").replaceAll("\n", "\\n")],
    ["private-key", pem("PRIVATE KEY").slice(0, 120)],
  ] as const
).map(([kind, secret]) => [kind, `before ${secret} after`, secret] as const);

const inContext: readonly (readonly [kind: string, text: string, secret: string])[] = [
  ["password-in-url", `postgresql://app:${random(12)}@db.internal:5432/app`, random(12)],
  ["password-in-url", `redis://:${random(16)}@cache:6379`, random(16)],
  ["password-in-url", `mongodb+srv://root:hunter2-for-real@cluster0.mongodb.net`, "hunter2-for-real"],
  ["azure-storage-key", `DefaultEndpointsProtocol=https;AccountName=a;AccountKey=${random(86)}==;`, `${random(86)}==`],
  ["named-secret", `API_KEY=${random(32)}`, random(32)],
  ["named-secret", `{"clientSecret": "${random(40)}"}`, random(40)],
  ["named-secret", `db_password: '${random(20)}'`, random(20)],
  ["named-secret", `const token = "${random(24)}";`, random(24)],
  ["named-secret", `AWS_SECRET_ACCESS_KEY=${random(40)}`, random(40)],
  ["named-secret", `secret_key: ${hex(64)}`, hex(64)],
  ["authorization-header", `curl -H "Authorization: Bearer ${random(40)}"`, random(40)],
];

describe("H6 secrets", () => {
  test.each([...positives, ...inContext])("%s is found and goes, what is around it stays", (kind, text, secret) => {
    const { text: redacted, findings } = redactText(text, [secrets]);
    expect(findings).toEqual([kind]);
    expect(redacted).toBe(text.replace(secret, `[redacted: ${kind}]`));
  });

  test.each([
    "the AKIA prefix marks access keys, as in AKIAIOSFODNN7EXAMPLE",
    "export GITHUB_TOKEN=${{ secrets.GITHUB_TOKEN }}",
    "password: ${DB_PASSWORD}",
    'const password = process.env.DATABASE_PASSWORD ?? "";',
    "api_key = os.environ['OPENAI_API_KEY']",
    'apiKey: "<your-api-key-goes-here>"',
    'token: "xxxxxxxxxxxxxxxxxxxxxxxxxxxx"',
    "postgresql://user:password@localhost:5432/app",
    "postgresql://app:${PGPASSWORD}@db/app",
    "https://example.com:8080/path@2",
    "git@github.com:owner/repository.git",
    "the tokens = 128000 limit, token: context_window_of_the_model",
    "secret: my-kubernetes-secret-name-v2",
    "const tokenizer = getTokenizerForModel(modelName2);",
    "commit 3f786850e387550fdab836ed7e6dc881de23001b",
    "sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "integrity sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
    "550e8400-e29b-41d4-a716-446655440000",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQsw\n-----END CERTIFICATE-----",
    "Look for -----BEGIN PRIVATE KEY----- in the file.",
    "eyJhbGciOi is how many tokens begin",
    "sk-learn and sk-learn-extra are packages; task-sk-1 is none",
    "npm_config_registry=https://registry.npmjs.org/",
    "The password: correct horse battery staple",
    "password_hash = bcrypt.hashpw(password, salt)",
    "token_url: https://login.example.com/oauth2/token",
    "Authorization: Bearer <token>",
    "tokens: [1, 2, 3], secret santa: Maria",
    "PRIMARY KEY = customer_id_2024_q4",
    "keyboard = QWERTZ-105-de-DE-2024-edition",
  ])("%s is no secret", (text) => {
    expect(redactText(text, [secrets])).toEqual({ text, findings: [] });
  });

  test("are found however many there are, and findings name each kind once", () => {
    const [first, second] = [`ghp_${random(36)}`, `ghp_${random(36, alphanumeric, "2")}`];
    expect(redactText(`${first},${second};API_KEY=${first}`, [secrets])).toEqual({
      text: "[redacted: github-token],[redacted: github-token];API_KEY=[redacted: github-token]",
      findings: ["github-token"],
    });
  });

  test.each([
    "a",
    "-",
    "token=",
    "https://a:",
    "eyJ",
    "-----BEGIN PRIVATE KEY-----\n",
    "sk-",
    "password:   ",
    "A1-",
    "\\n",
  ])(
    "half a million characters of %j are read in time",
    (piece) => {
      const text = piece.repeat(500_000 / piece.length);
      expect(redactText(text, [secrets]).text.length).toBeLessThanOrEqual(text.length);
    },
    5000,
  );
});
