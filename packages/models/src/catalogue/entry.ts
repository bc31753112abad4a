import { checkProviderUrl } from "@benchtop/egress";
import { BenchtopError } from "@benchtop/protocol";
import { z } from "zod";

/** The form of an entry of `ssot/providers/ai/*.yaml`. Strict throughout: a field that is misspelt must not be silently absent. */

const Text = z.string().min(1).max(200);
const Address = z.string().max(2000);
const WebPage = Address.regex(/^https:\/\/[^\s]+$/, "must be an https:// address");
const Tokens = z.int().min(1).max(100_000_000);
const Dollars = z.number().min(0).max(100_000);
const Day = z.string().regex(/^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/, "must be a day such as 2026-01-31");
/** With the port where it is not the scheme's own. A `{part}` is the customer's own. */
const Host = z
  .string()
  .max(253)
  .regex(/^[a-z0-9.{}:[\]_-]+$/, "must be a host, in lower case");

/** US dollars per million tokens. */
const PricesEntry = z.strictObject({
  asOf: Day,
  inputPerMillion: Dollars,
  outputPerMillion: Dollars,
  cachedInputPerMillion: Dollars.optional(),
  cacheWritePerMillion: Dollars.optional(),
});

const ModelEntry = z.strictObject({
  id: z.string().regex(/^\S{1,255}$/, "must have no spaces"),
  contextTokens: Tokens.optional(),
  maxOutputTokens: Tokens.optional(),
  prices: PricesEntry.optional(),
  capabilities: z
    .strictObject({
      tools: z.boolean().optional(),
      jsonSchema: z.boolean().optional(),
      vision: z.boolean().optional(),
      pdf: z.boolean().optional(),
      reasoning: z.boolean().optional(),
    })
    .optional(),
});
export type CatalogueModel = z.infer<typeof ModelEntry>;

const headerAllowed = (name: string): boolean =>
  !/^(host|cookie|user-agent|authorization|content-.*|proxy-.*)$/.test(name);

const AuthEntry = z.strictObject({
  /** How the key is shown: `Authorization: Bearer`, in a header of its own, or there is none. */
  scheme: z.enum(["bearer", "header", "none"]),
  header: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,60}$/, "must be a header's name in lower case")
    .refine(headerAllowed, "must not be a header that means something else")
    .optional(),
  /** The variable that its own tools read the key from. */
  environment: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]{0,60}$/, "must be a variable's name")
    .optional(),
  /** Where a person gets a key. */
  keyUrl: WebPage.optional(),
});

export const ProviderEntry = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, "must be lower-case letters, digits and dashes, 40 at most"),
  displayName: Text,
  kind: z.enum(["openai-responses", "openai-chat", "anthropic-messages"]),
  baseUrl: Address,
  local: z.boolean().default(false),
  auth: AuthEntry,
  /** Every host that it may be asked at; the key goes nowhere else. */
  egressHosts: z.array(Host).min(1).max(20),
  /** Whether `{baseUrl}/models` lists its models. */
  listsModels: z.boolean(),
  docs: WebPage,
  models: z.array(ModelEntry).max(500).default([]),
});
export type CatalogueProvider = z.infer<typeof ProviderEntry>;

/** What a file of the operator's may say of a provider that is known: any of it. */
export const ProviderChange = ProviderEntry.extend({
  local: z.boolean(),
  models: ProviderEntry.shape.models.unwrap(),
})
  .partial()
  .required({ id: true });
export type ProviderChange = z.infer<typeof ProviderChange>;

/** The form of a whole file; its entries are checked one by one. */
export const ProviderFile = z.strictObject({
  version: z.literal(1),
  providers: z.array(z.record(z.string(), z.unknown())).max(200),
});

export interface Problem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** What fields say together, where each by itself is right. */
export function contradictions(entry: CatalogueProvider): Problem[] {
  const { local, auth, egressHosts, models } = entry;
  const problems: Problem[] = [];
  const baseUrl = checked(entry.baseUrl, local);
  if (typeof baseUrl === "string") problems.push({ path: ["baseUrl"], message: baseUrl });
  egressHosts.forEach((host, place) => {
    const address = checked(`${local ? "http" : "https"}://${host}`, local);
    if (typeof address === "string") problems.push({ path: ["egressHosts", place], message: address });
    else if (!sameHost(address, host)) problems.push({ path: ["egressHosts", place], message: "must be a host alone" });
  });
  if (typeof baseUrl !== "string" && !egressHosts.some((host) => sameHost(baseUrl, host))) {
    problems.push({ path: ["egressHosts"], message: "must name the host of baseUrl" });
  }
  if ((auth.scheme === "header") !== (auth.header !== undefined)) {
    problems.push({ path: ["auth", "header"], message: "must be there when the scheme is “header”, and only then" });
  }
  const seen = new Set<string>();
  models.forEach(({ id, contextTokens, maxOutputTokens }, place) => {
    if (seen.has(id)) problems.push({ path: ["models", place, "id"], message: "names a model that is there already" });
    seen.add(id);
    if ((maxOutputTokens ?? 0) > (contextTokens ?? Infinity)) {
      problems.push({ path: ["models", place, "maxOutputTokens"], message: "must not be more than contextTokens" });
    }
  });
  return problems;
}

/** With every part of the customer's own filled with something, as only the rest can be judged. */
export const filled = (text: string): string => text.replaceAll(/\{[a-z]{1,30}\}/g, "x");

function checked(address: string, local: boolean): URL | string {
  try {
    return checkProviderUrl(filled(address), local ? "this-machine" : "elsewhere");
  } catch (thrown) {
    return BenchtopError.from(thrown).message;
  }
}

function sameHost(url: URL, host: string): boolean {
  return url.host === filled(host);
}
