import { Json } from "@benchtop/protocol";
import { z } from "zod";

/** What Ollama's clients send (its API documentation of version 0.12). Fields that Benchtop has no use for are passed over, as Ollama does. */

const model = z.string().min(1).max(300);

/** Seconds, a duration such as `5m`, 0 for not at all, a negative number for ever. */
const KeepAlive = z.union([z.number(), z.string().max(40)]).optional();

/** `json`, or a JSON Schema. */
const Format = z.union([z.literal(""), z.literal("json"), z.record(z.string(), Json)]).optional();

const Options = z
  .object({
    temperature: z.number().min(0).max(2).optional(),
    top_p: z.number().gt(0).max(1).optional(),
    seed: z.int().optional(),
    /** Below 0: as many as it takes. */
    num_predict: z.int().optional(),
    num_ctx: z.int().positive().max(4_194_304).optional(),
  })
  .optional();

const common = { model, stream: z.boolean().default(true), format: Format, options: Options, keep_alive: KeepAlive };

const images = z
  .array(z.unknown())
  .max(0, "Images are not taken here: attach them with runs.start or in the console.")
  .nullish();

const ToolCall = z.object({
  id: z.string().max(200).optional(),
  function: z.object({ name: z.string().max(200), arguments: z.record(z.string(), Json).default({}) }),
});

export const OllamaMessage = z.object({
  role: z.enum(["system", "user", "assistant", "tool"]),
  content: z.string().max(2_000_000).default(""),
  images,
  tool_calls: z.array(ToolCall).max(256).nullish(),
  tool_call_id: z.string().max(200).optional(),
  /** The tool that a result is of; `name` in older clients. */
  tool_name: z.string().max(200).optional(),
  name: z.string().max(200).optional(),
});
export type OllamaMessage = z.infer<typeof OllamaMessage>;

const Tool = z.object({
  type: z.literal("function").default("function"),
  function: z.object({
    name: z.string().max(64),
    description: z.string().max(20_000).default(""),
    parameters: z.record(z.string(), Json).default({ type: "object", properties: {} }),
  }),
});

export const ChatRequest = z.object({
  ...common,
  /** None: the model is loaded, or unloaded where `keep_alive` is 0. */
  messages: z.array(OllamaMessage).max(10_000).default([]),
  tools: z.array(Tool).max(256).nullish(),
});
export type ChatRequest = z.infer<typeof ChatRequest>;

export const GenerateRequest = z.object({
  ...common,
  prompt: z.string().max(2_000_000).default(""),
  system: z.string().max(200_000).optional(),
  images,
  raw: z.literal(false, "Prompts without the model's template are not taken here.").nullish(),
  suffix: z.literal("", "Filling in the middle is not offered here.").nullish(),
  template: z.literal("", "A model's template cannot be replaced for one request.").nullish(),
});
export type GenerateRequest = z.infer<typeof GenerateRequest>;

export const EmbedRequest = z.object({
  model,
  input: z.union([z.string().min(1), z.array(z.string().min(1)).min(1).max(2048)]),
});
export const EmbeddingsRequest = z.object({ model, prompt: z.string().min(1) });

export const NamedRequest = z.object({ model: model.optional(), name: model.optional() });
export const PullRequest = z.object({ ...NamedRequest.shape, stream: z.boolean().default(true) });
