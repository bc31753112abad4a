import { Json } from "@benchtop/protocol";
import { z } from "zod";
import { operation } from "./define.ts";
import { Empty } from "./pagination.ts";

export const ProviderName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, "lower-case letters, digits and dashes, 40 at most");
/** Protocols that any server may speak. */
export const WireKind = z.enum(["openai-responses", "openai-chat", "anthropic-messages"]);
/** Servers that are known by more than their protocol; `rest` is one of its own kind, described by a mapping. */
export const ServerKind = z.enum(["ollama", "vllm", "llama-server", "lm-studio", "rest"]);
export const ProviderKind = z.enum([...WireKind.options, ...ServerKind.options]);
export type ProviderKind = z.infer<typeof ProviderKind>;

/** `provider/model`; the model's own name may hold slashes and colons. */
export const ModelRef = z
  .string()
  .max(300)
  .regex(/^[a-z0-9][a-z0-9-]*\/\S+$/, "a model is PROVIDER/MODEL");

/** A model by the name that its server has for it. */
const ServedModelName = z.string().regex(/^\S{1,255}$/, "a name without spaces, 255 characters at most");

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
  kind: WireKind,
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

/** A model of a server, as far as the server tells. What it does not tell is null. */
export const ServedModel = z.object({
  /** `provider/model`. */
  ref: z.string(),
  model: z.string(),
  state: z.enum(["unloaded", "loading", "ready", "busy", "unloading", "failed"]),
  /** Of its files. */
  bytes: z.int().nullable(),
  quantization: z.string().nullable(),
  /** Made to turn text into vectors. */
  embeds: z.boolean().nullable(),
  /** Of what is loaded; null too while nothing is. */
  memoryBytes: z.int().nullable(),
  contextTokens: z.int().nullable(),
  /** `cpu`, `cuda`, `metal`, `vulkan`. */
  device: z.string().nullable(),
  /** When it leaves if nobody asks; null for one that stays as well. */
  expiresAt: z.string().nullable(),
  /** Why it is `failed`. */
  error: z.string().nullable(),
});
export type ServedModel = z.infer<typeof ServedModel>;

export const ProviderStatus = z.object({
  name: z.string(),
  kind: ServerKind,
  /** What servers of this kind do for Benchtop. */
  can: z.object({ load: z.boolean(), unload: z.boolean(), embeddings: z.boolean() }),
  health: z.object({
    /** It answers. */
    alive: z.boolean(),
    /** It takes requests now. */
    ready: z.boolean(),
    version: z.string().nullable(),
    /** Why it does not. */
    reason: z.string().nullable(),
  }),
  /** Null while it does not take requests. Requests and tokens are those that went through Benchtop since it started. */
  metrics: z
    .object({
      requests: z.int(),
      failed: z.int(),
      inputTokens: z.int(),
      outputTokens: z.int(),
      running: z.int(),
      waiting: z.int(),
      tokensPerSecond: z.number().nullable(),
      firstTokenMs: z.number().nullable(),
      memoryBytes: z.int().nullable(),
      /** Share of the cache of conversations that is in use, 0 to 1. */
      cacheUsed: z.number().nullable(),
      /** What could not be found out, and what would help. */
      notes: z.array(z.string()),
    })
    .nullable(),
  models: z.array(ServedModel),
});
export type ProviderStatus = z.infer<typeof ProviderStatus>;

const name = { name: ProviderName };
const serverErrors = [
  "PROVIDER_NOT_CONFIGURED",
  "PROVIDER_AUTH_FAILED",
  "PROVIDER_RATE_LIMITED",
  "PROVIDER_UNAVAILABLE",
  "NETWORK_UNAVAILABLE",
  "EGRESS_BLOCKED_BY_POLICY",
] as const;

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
      /** Of the kind `rest`, which needs one: how the server is asked and read. */
      mapping: z.record(z.string(), Json).optional(),
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
    errors: serverErrors,
  }),
  "providers.status": operation({
    id: "providers.status",
    rpc: "ProvidersStatus",
    method: "GET",
    path: "/api/v1/providers/{name}/status",
    permission: "providers:read",
    summary: "A server of models: whether it takes requests, what it counts, and in which state its models are.",
    input: z.object(name),
    output: ProviderStatus,
    errors: serverErrors,
  }),
  "providers.loadModel": operation({
    id: "providers.loadModel",
    rpc: "ProvidersLoadModel",
    method: "POST",
    path: "/api/v1/providers/{name}/load",
    permission: "runs:write",
    summary: "Have a server of this machine load a model before anybody asks it.",
    input: z.object({
      ...name,
      model: ServedModelName,
      contextTokens: z.int().min(16).max(4_194_304).optional(),
      /** How long it stays when idle; null for ever. */
      keepAliveSeconds: z.int().nonnegative().nullable().optional(),
    }),
    output: ServedModel,
    errors: serverErrors,
  }),
  "providers.unloadModel": operation({
    id: "providers.unloadModel",
    rpc: "ProvidersUnloadModel",
    method: "POST",
    path: "/api/v1/providers/{name}/unload",
    permission: "runs:write",
    summary: "Have a server of this machine unload a model.",
    input: z.object({ ...name, model: ServedModelName }),
    output: Empty,
    errors: serverErrors,
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
