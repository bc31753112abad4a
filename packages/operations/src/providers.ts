import { z } from "zod";
import { operation } from "./define.ts";
import { Empty } from "./pagination.ts";

export const ProviderName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, "lower-case letters, digits and dashes, 40 at most");
export const ProviderKind = z.enum(["openai-responses", "openai-chat", "anthropic-messages"]);
export type ProviderKind = z.infer<typeof ProviderKind>;

/** `provider/model`; the model's own name may hold slashes and colons. */
export const ModelRef = z
  .string()
  .max(300)
  .regex(/^[a-z0-9][a-z0-9-]*\/\S+$/, "a model is PROVIDER/MODEL");

/** US dollars per million tokens. */
export const Prices = z.object({
  inputPerMillion: z.number().nonnegative(),
  outputPerMillion: z.number().nonnegative(),
  cachedInputPerMillion: z.number().nonnegative().optional(),
  /** Of input that the provider's prompt cache keeps; as input when absent. */
  cacheWritePerMillion: z.number().nonnegative().optional(),
});
export type Prices = z.infer<typeof Prices>;

export const Provider = z.object({
  name: z.string(),
  kind: ProviderKind,
  baseUrl: z.string(),
  /** On this machine's loopback: no consent needed, nothing leaves. */
  local: z.boolean(),
  /** Whether a key is kept for it. The key itself is never shown again. */
  hasApiKey: z.boolean(),
  prices: Prices.nullable(),
  createdAt: z.string(),
});
export type Provider = z.infer<typeof Provider>;

/** What a model can; what is absent is not known. */
export const ModelCapabilities = z.object({
  tools: z.boolean().optional(),
  /** Answers in JSON of a given schema. */
  jsonSchema: z.boolean().optional(),
  vision: z.boolean().optional(),
  pdf: z.boolean().optional(),
  reasoning: z.boolean().optional(),
});

/** What is known of a model; what is absent is not known. */
const modelFacts = {
  /** Tokens of a prompt and its answer together. */
  contextTokens: z.number().optional(),
  maxOutputTokens: z.number().optional(),
  capabilities: ModelCapabilities.optional(),
};

export const Model = z.object({
  ref: z.string(),
  providerId: z.string(),
  modelId: z.string(),
  local: z.boolean(),
  /** What its calls are counted with. */
  prices: Prices.optional(),
  ...modelFacts,
});
export type Model = z.infer<typeof Model>;

/** An inference provider that Benchtop knows; its `id` is the preset of `providers.add`. */
export const CatalogueProvider = z.object({
  id: z.string(),
  displayName: z.string(),
  kind: ProviderKind,
  /** A `{part}` of it is the customer's own. */
  baseUrl: z.string(),
  local: z.boolean(),
  auth: z.object({
    scheme: z.enum(["bearer", "header", "none"]),
    header: z.string().optional(),
    /** The variable that its own tools read the key from. */
    environment: z.string().optional(),
    /** Where a person gets a key. */
    keyUrl: z.string().optional(),
  }),
  /** Every host that it may be asked at. */
  egressHosts: z.array(z.string()),
  listsModels: z.boolean(),
  docs: z.string(),
  models: z.array(
    z.object({
      id: z.string(),
      /** As published on `asOf`; to be checked with the provider. */
      prices: Prices.extend({ asOf: z.string() }).optional(),
      ...modelFacts,
    }),
  ),
});
export type CatalogueProvider = z.infer<typeof CatalogueProvider>;

const name = { name: ProviderName };

export const providerOperations = {
  "providers.list": operation({
    id: "providers.list",
    rpc: "ProvidersList",
    method: "GET",
    path: "/api/v1/providers",
    permission: "providers:read",
    summary: "Configured model providers.",
    input: Empty,
    output: z.object({ items: z.array(Provider) }),
    errors: [],
  }),
  "providers.catalogue": operation({
    id: "providers.catalogue",
    rpc: "ProvidersCatalogue",
    method: "GET",
    path: "/api/v1/providers/catalogue",
    permission: "providers:read",
    summary: "Inference providers that Benchtop knows: addresses, hosts, models, prices and abilities.",
    input: Empty,
    output: z.object({ items: z.array(CatalogueProvider) }),
    errors: [],
  }),
  "providers.add": operation({
    id: "providers.add",
    rpc: "ProvidersAdd",
    method: "POST",
    path: "/api/v1/providers",
    permission: "providers:write",
    status: 201,
    summary: "Add or replace a provider, by a preset of the catalogue or in full. Its host joins the egress allowlist.",
    input: z.object({
      /** That of the preset when absent. */
      name: ProviderName.optional(),
      /** An `id` of `providers.catalogue`; name, kind, base URL and local are then its own unless given. */
      preset: ProviderName.optional(),
      kind: ProviderKind.optional(),
      baseUrl: z.string().max(2000).optional(),
      apiKey: z.string().max(10_000).optional(),
      local: z.boolean().optional(),
      prices: Prices.optional(),
    }),
    output: Provider,
    errors: ["EGRESS_BLOCKED_BY_POLICY", "DISK_FULL"],
  }),
  "providers.test": operation({
    id: "providers.test",
    rpc: "ProvidersTest",
    method: "POST",
    path: "/api/v1/providers/{name}/test",
    permission: "providers:write",
    summary: "Ask the provider for its model list: proves host, TLS and key without sending any content.",
    input: z.object(name),
    output: z.object({ ok: z.literal(true), models: z.array(z.string()), latencyMs: z.number() }),
    errors: [
      "PROVIDER_NOT_CONFIGURED",
      "PROVIDER_AUTH_FAILED",
      "PROVIDER_RATE_LIMITED",
      "PROVIDER_UNAVAILABLE",
      "NETWORK_UNAVAILABLE",
      "EGRESS_BLOCKED_BY_POLICY",
    ],
  }),
  "providers.remove": operation({
    id: "providers.remove",
    rpc: "ProvidersRemove",
    method: "DELETE",
    path: "/api/v1/providers/{name}",
    permission: "providers:write",
    summary: "Remove a provider and its key.",
    input: z.object(name),
    output: Empty,
    errors: ["PROVIDER_NOT_CONFIGURED"],
  }),
  "models.list": operation({
    id: "models.list",
    rpc: "ModelsList",
    method: "GET",
    path: "/api/v1/models",
    permission: "providers:read",
    summary: "Models of all providers that answer; the others are named with their error.",
    input: Empty,
    output: z.object({
      items: z.array(Model),
      unavailable: z.array(z.object({ providerId: z.string(), message: z.string() })),
    }),
    errors: [],
  }),
} as const;
