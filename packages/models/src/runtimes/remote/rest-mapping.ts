import { BenchtopError, Json } from "@benchtop/protocol";
import { z } from "zod";
import { isPointer } from "./json-pointer.ts";

/**
 * How a server of its own kind is asked and read. A request is JSON in which `"{{name}}"` stands for a value, and text around a
 * `{{name}}` is kept; a member whose value is not there is left out. Places in answers are JSON Pointers (RFC 6901).
 *
 * Values: `model`, `messages` (in OpenAI's form), `prompt` (the whole conversation as text), `question` (the last message),
 * `system`, `maxOutputTokens`, `temperature`, `topP`, `seed`, `schema`; for embeddings `model` and `texts`.
 */
export type RestMapping = z.infer<typeof RestMapping>;

const chatValues = [
  "model",
  "messages",
  "prompt",
  "question",
  "system",
  "maxOutputTokens",
  "temperature",
  "topP",
  "seed",
  "schema",
] as const;
export type ChatValue = (typeof chatValues)[number];
const embeddingValues = ["model", "texts"] as const;
export type EmbeddingValue = (typeof embeddingValues)[number];

/** A place in a server. No query: what only looks carries none. */
const Path = z
  .string()
  .max(500)
  .regex(/^\/[\w\-.~/%{}]*$/, "a path such as /generate, without a query")
  .refine((path) => !/(^|\/)\.\.?(\/|$)|\/\//.test(path), "a path without . and .. and empty parts");
const PlainPath = Path.refine((path) => !/[{}]/.test(path), "a path without {{…}}");
const AskedPath = Path.refine(
  (path) => [...path.matchAll(/[{}]+[^{}]*[{}]*/g)].every(([part]) => part === "{{model}}"),
  "a path in which {{model}} is the only value",
);
const Pointer = z.string().max(500).refine(isPointer, "a JSON Pointer such as /choices/0/text");
const Scalar = z.union([z.string().max(200), z.number(), z.boolean()]);

const Template = <Value extends string>(values: readonly Value[], oneOf: readonly Value[]) =>
  z.record(z.string(), Json).superRefine((template, context) => {
    const problem = problemIn(template, 0, values);
    if (problem !== undefined) return context.addIssue({ code: "custom", message: problem });
    const used = JSON.stringify(template);
    if (oneOf.some((value) => used.includes(`{{${value}}}`))) return;
    context.addIssue({ code: "custom", message: `one of ${oneOf.map((value) => `{{${value}}}`).join(", ")} in it` });
  });

const RestMapping = z.strictObject({
  chat: z.strictObject({
    path: AskedPath,
    request: Template(chatValues, ["messages", "prompt", "question"]),
    response: z
      .strictObject({
        /** The whole answer in one document; one document a line; or events with one each (`data: …`). */
        framing: z.enum(["document", "lines", "events"]).default("document"),
        text: Pointer,
        reasoning: Pointer.optional(),
        /** Where the reason stands why an answer ended, and what its words mean; a word that is not named is `stop`. */
        finish: z
          .strictObject({
            at: Pointer,
            reasons: z.record(z.string(), z.enum(["stop", "length", "content_filter"])).default({}),
          })
          .optional(),
        /** What says that an answer is whole. */
        done: z.strictObject({ at: Pointer, equals: Scalar }).optional(),
        usage: z.strictObject({ inputTokens: Pointer, outputTokens: Pointer }).optional(),
        /** The model that answered: another one than was asked is an error. */
        model: Pointer.optional(),
        /** What stands there is an error, whatever the status. */
        error: Pointer.optional(),
      })
      .refine(
        ({ framing, finish, done }) => framing === "document" || finish || done,
        "finish or done: without them the end of a stream cannot be told from a connection that broke",
      ),
  }),
  models: z.union([
    z.strictObject({
      names: z
        .array(z.string().regex(/^\S{1,255}$/, "a name without spaces"))
        .min(1)
        .max(1000),
    }),
    z.strictObject({ path: PlainPath, items: Pointer, name: Pointer }),
  ]),
  embeddings: z
    .strictObject({
      path: AskedPath,
      request: Template(embeddingValues, ["texts"]),
      /** The list of answers, in the order of the texts, and where the vector is in each. */
      response: z.strictObject({
        items: Pointer,
        vector: Pointer.default(""),
        inputTokens: Pointer.optional(),
        model: Pointer.optional(),
      }),
    })
    .optional(),
  /** Answers with a status of 2xx when requests are taken; the list of models, or nothing, unless told. */
  health: z.strictObject({ path: PlainPath }).optional(),
});

const longestMapping = 64 * 1024;
const deepestTemplate = 20;

/** Throws `VALIDATION_FAILED`, naming the field and what belongs there. */
export function parseRestMapping(value: unknown): RestMapping {
  if ((JSON.stringify(value) ?? "").length > longestMapping) throw wrong("it is longer than 64 kB");
  const result = RestMapping.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue?.path.join(".") ?? "";
  throw wrong(`${field === "" ? "it" : field} is not right: ${issue?.message ?? "it cannot be read"}`);
}

/** The values of a template in their places. What is undefined takes its member or element with it. */
export function filled(template: Json, values: { readonly [name: string]: unknown }): Json | undefined {
  if (typeof template === "string") return filledText(template, values);
  if (Array.isArray(template)) {
    return template.map((item) => filled(item, values)).filter((item) => item !== undefined);
  }
  if (typeof template !== "object" || template === null) return template;
  const members = Object.entries(template).map(([name, member]) => [name, filled(member, values)] as const);
  return Object.fromEntries(members.filter((member): member is readonly [string, Json] => member[1] !== undefined));
}

/** Whether a template has a place for a value. */
export function uses(template: Json, value: string): boolean {
  return JSON.stringify(template).includes(`{{${value}}}`);
}

const placeholder = /\{\{([^{}]*)\}\}/g;

function filledText(template: string, values: { readonly [name: string]: unknown }): Json | undefined {
  const whole = /^\{\{([^{}]*)\}\}$/.exec(template)?.[1];
  if (whole !== undefined) return Json.optional().parse(values[whole]);
  let isThere = true;
  const text = template.replaceAll(placeholder, (_, name: string) => {
    const value = values[name];
    if (value === undefined) isThere = false;
    return typeof value === "string" ? value : JSON.stringify(value);
  });
  return isThere ? text : undefined;
}

function problemIn(template: Json, depth: number, values: readonly string[]): string | undefined {
  if (depth > deepestTemplate) return "fewer levels";
  if (typeof template === "string") {
    const unknown = [...template.matchAll(placeholder)]
      .map(([, name = ""]) => name)
      .find((name) => !values.includes(name));
    return unknown === undefined
      ? undefined
      : `only ${values.join(", ")} between {{ and }}, not ${unknown.slice(0, 50)}`;
  }
  if (typeof template !== "object" || template === null) return undefined;
  for (const part of Object.values(template)) {
    const problem = problemIn(part, depth + 1, values);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function wrong(why: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `The mapping of the server cannot be used: ${why}.`, {
    phase: "settings",
  });
}
