import type { Detector, Finding } from "./findings.ts";

/**
 * Finds secrets by their form: keys with a prefix of their own, private keys, JSON Web Tokens, passwords in URLs and
 * connection strings, and values of high entropy that a name beside them calls a secret. What is known to be a placeholder
 * (`<your-key>`, `${TOKEN}`, `AKIAIOSFODNN7EXAMPLE`) is none. A secret without a form and without a name is not found.
 */
export const secrets: Detector = (text) => [
  ...knownForms.flatMap((form) => matches(text, form)),
  ...matches(text, passwordInUrl),
  ...matches(text, namedValue),
  ...matches(text, authorization),
];

interface Form {
  readonly kind: string;
  /** Global. Group 1, if there is one, is the secret; else the whole match is. Every repetition is bounded or cannot backtrack. */
  readonly pattern: RegExp;
  readonly holds?: (secret: string) => boolean;
}

/** Not inside a longer word. */
const before = String.raw`(?<![A-Za-z0-9_-])`;
const after = String.raw`(?![A-Za-z0-9_-])`;

function form(kind: string, body: string, holds: (secret: string) => boolean = isVaried): Form {
  return { kind, pattern: new RegExp(before + body + after, "g"), holds };
}

const knownForms: readonly Form[] = [
  form("aws-access-key", "(?:AKIA|ASIA)[A-Z2-7]{16}", (secret) => !secret.endsWith("EXAMPLE")),
  form("github-token", "gh[pousr]_[A-Za-z0-9]{36,255}"),
  form("github-token", "github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
  form("gitlab-token", "gl(?:pat|dt|rt|ptt|cbt)-[A-Za-z0-9_-]{20,80}"),
  form("slack-token", "xox[abeoprs]-[A-Za-z0-9-]{20,250}"),
  form("slack-token", "xapp-[0-9]-[A-Za-z0-9-]{20,250}"),
  form("slack-webhook", "https://hooks\\.slack\\.com/services/T[A-Z0-9]{6,12}/B[A-Z0-9]{6,12}/[A-Za-z0-9]{20,30}"),
  form("anthropic-key", "sk-ant-[a-z]{3,6}[0-9]{2}-[A-Za-z0-9_-]{40,200}"),
  form("openai-key", "sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,250}"),
  form("openai-key", "sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}"),
  form("openrouter-key", "sk-or-v1-[0-9a-f]{64}"),
  form("google-api-key", "AIza[0-9A-Za-z_-]{35}"),
  form("google-oauth-secret", "GOCSPX-[0-9A-Za-z_-]{28}"),
  form("stripe-key", "(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,120}"),
  form("stripe-key", "whsec_[A-Za-z0-9+/]{32,80}"),
  form("npm-token", "npm_[A-Za-z0-9]{36}"),
  form("pypi-token", "pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,250}"),
  form("hugging-face-token", "hf_[A-Za-z]{34}"),
  form("groq-key", "gsk_[A-Za-z0-9]{52}"),
  form("sendgrid-key", "SG\\.[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{43}"),
  form("digitalocean-token", "do[opr]_v1_[a-f0-9]{64}"),
  form("databricks-token", "dapi[a-f0-9]{32}(?:-[0-9])?"),
  form("telegram-token", "[0-9]{8,10}:AA[A-Za-z0-9_-]{33}"),
  form("age-key", "AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
  form("azure-storage-key", "AccountKey=([A-Za-z0-9+/]{86}==)"),
  form("jwt", "eyJ[A-Za-z0-9_-]{10,4000}\\.eyJ[A-Za-z0-9_-]{4,8000}\\.[A-Za-z0-9_-]{16,2000}", isJsonWebToken),
  {
    kind: "private-key",
    // The end may be missing: what follows the first line of a key is a key, however it was cut.
    pattern:
      /-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:[\n\r\t]|\\n|\\r| {1,12}(?=[A-Za-z0-9+/=]{16})|: |[A-Za-z0-9+/=,.-](?!----)){40,20000}(?:-----END (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----)?/g,
  },
];

/** `scheme://user:password@host`: the password alone is replaced. */
const passwordInUrl: Form = {
  kind: "password-in-url",
  pattern:
    /(?<![A-Za-z0-9+.-])[a-z][a-z0-9+.-]{1,30}:\/\/[^\s:/?#@'"<>]{0,100}:([^\s/?#@'"<>]{3,200})@(?=[A-Za-z0-9[])/gi,
  holds: (password) => !isPlaceholder(password),
};

/** `api_key = "…"`, `"clientSecret": "…"`, `PASSWORD=…`: the name says what the value is, the value has to look like it. */
const namedValue: Form = {
  kind: "named-secret",
  pattern:
    /(?:passw(?:or)?d|pwd|secret|token|credential|(?:api|access|account|auth|client|encryption|private|secret|service|shared|signing)[_.\- ]?key)[A-Za-z0-9_]{0,20}["'`]?\s{0,3}(?::=|=>|=|:)\s{0,3}["'`]?([A-Za-z0-9_\-+/=.~!@#$%^&*]{12,500})/gi,
  holds: looksRandom,
};

const authorization: Form = {
  kind: "authorization-header",
  pattern: /authorization["']?\s{0,3}[:=]\s{0,3}["']?(?:bearer|basic|token)\s{1,3}([A-Za-z0-9_\-+/=.~]{12,4000})/gi,
  holds: (secret) => !isPlaceholder(secret) && isVaried(secret),
};

function matches(text: string, { kind, pattern, holds = () => true }: Form): readonly Finding[] {
  const found: Finding[] = [];
  for (const match of text.matchAll(pattern)) {
    const secret = match[1] ?? match[0];
    if (!holds(secret)) continue;
    const start = match.index + match[0].lastIndexOf(secret);
    found.push({ kind, start, end: start + secret.length });
  }
  return found;
}

/** Real keys are random; `xxxxxxxxxxxxxxxx` and `0123456789…` are what documentation writes. */
function isVaried(secret: string): boolean {
  return (
    new Set(secret.slice(-24)).size >= 8 &&
    !/(?:example|placeholder|your[_-]|xxxx|redacted|dummy|0123456789|abcdefghij)/i.test(secret)
  );
}

function isPlaceholder(value: string): boolean {
  return (
    /^[<${%[*(]|[>}\])]$|^(?:\*+|x+|\.+|-+|_+)$/i.test(value) ||
    /^(?:pass(?:word|wd|phrase)?|pwd|secret|token|key|changeme|change[_-]me|example|test|user|admin|postgres|root|guest|none|null|undefined|your.{0,40})$/i.test(
      value,
    ) ||
    /(?:example|placeholder|redacted|dummy|\$\{|\{\{|<[a-z])/i.test(value)
  );
}

/**
 * Letters and digits mixed as no word or name mixes them, and many different ones. Code (`getToken()`, `process.env.KEY`),
 * paths, URLs, dates and identifiers are not.
 */
function looksRandom(value: string): boolean {
  if (isPlaceholder(value) || !isVaried(value)) return false;
  if (/^(?:https?:|\/|\.{1,2}\/|~\/|[a-z]+\.[a-z]+[.(])/i.test(value)) return false;
  if (!/[0-9]/.test(value) || !/[A-Za-z]/.test(value)) return false;
  const hexadecimal = /^[0-9a-f-]+$/i.test(value);
  if (hexadecimal) return value.replaceAll("-", "").length >= 32 && entropyOf(value) >= 3;
  const words = value.split(/[_\-./]/).filter((word) => word.length > 2);
  if (words.length > 1 && words.every((word) => /^(?:[A-Za-z]?[a-z]+|[A-Z]+|[0-9]{1,4}|v[0-9]+)$/.test(word)))
    return false;
  return entropyOf(value) >= (value.length < 20 ? 3.2 : 3.5);
}

/** Bits a character, by the frequency of each. */
function entropyOf(value: string): number {
  const counts = new Map<string, number>();
  for (const character of value) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / value.length) * Math.log2(count / value.length);
  return bits;
}

/** Three parts by the look; the first must be a header that names an algorithm (RFC 7515, section 4.1.1). */
function isJsonWebToken(token: string): boolean {
  const [header = ""] = token.split(".");
  try {
    const parsed: unknown = JSON.parse(Buffer.from(header, "base64url").toString("utf8"));
    return typeof parsed === "object" && parsed !== null && "alg" in parsed;
  } catch {
    return false;
  }
}
