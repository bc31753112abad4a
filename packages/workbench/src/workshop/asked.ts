import type { OutputSchema, ToolSpec } from "@benchtop/harness";
import { Json, Message } from "@benchtop/protocol";
import { z } from "zod";

/** A file that a prompt comes with, kept as a blob. */
export const KeptAttachment = z.object({
  name: z.string(),
  mediaType: z.string(),
  sha256: z.string(),
  bytes: z.int().nonnegative(),
});
export type KeptAttachment = z.infer<typeof KeptAttachment>;

const Input = z.object({
  /** Of an agent, of a message about the files, or of a bare prompt. */
  task: z.string().optional(),
  message: z.string().optional(),
  prompt: z.string().optional(),
  /** Of a chat whose caller keeps the conversation, and does itself what the model calls. */
  messages: z.array(Message).default([]),
  callerTools: z
    .array(z.object({ name: z.string(), description: z.string(), inputSchema: z.record(z.string(), Json) }))
    .default([]),
  /** The turn that is asked again. */
  regenerates: z.string().optional(),
  instructions: z.string().optional(),
  /** Models to ask when the first fails, best first. */
  fallbacks: z.array(z.string()).default([]),
  attachments: z.array(KeptAttachment).default([]),
  /** The agent remembers. */
  memory: z.boolean().default(false),
  maxOutputTokens: z.number().optional(),
  temperature: z.number().optional(),
  topP: z.number().optional(),
  seed: z.number().optional(),
  output: z.object({ name: z.string(), schema: z.record(z.string(), Json) }).optional(),
});

/** What a run of the workshop was asked, and how: `RunStarted.input`, read. */
export interface Asked {
  /** The task, the message or the prompt. */
  readonly text: string;
  readonly messages: readonly Message[];
  readonly callerTools: readonly ToolSpec[];
  readonly regenerates: string | undefined;
  readonly instructions: string | undefined;
  readonly fallbacks: readonly string[];
  readonly attachments: readonly KeptAttachment[];
  readonly memory: boolean;
  readonly maxOutputTokens: number | undefined;
  readonly temperature: number | undefined;
  readonly topP: number | undefined;
  readonly seed: number | undefined;
  readonly output: OutputSchema | undefined;
}

/** Throws what zod throws for an input that no version of ours has written. */
export function askedIn(input: Json): Asked {
  const {
    task,
    message,
    prompt,
    messages,
    callerTools,
    regenerates,
    instructions,
    fallbacks,
    attachments,
    memory,
    ...rest
  } = Input.parse(input);
  const { maxOutputTokens, temperature, topP, seed, output } = rest;
  return {
    text: task ?? message ?? prompt ?? "",
    messages,
    callerTools,
    regenerates,
    instructions,
    fallbacks,
    attachments,
    memory,
    maxOutputTokens,
    temperature,
    topP,
    seed,
    output,
  };
}

const fields: Readonly<Record<string, string>> = { agent: "task", message: "message" };

/** The same input, asking something else. */
export function withText(input: Json, kind: string, text: string): Json {
  const rest = typeof input === "object" && input !== null && !Array.isArray(input) ? input : {};
  if (kind === "chat") {
    const { messages } = askedIn(input);
    const question = messages.findLastIndex(({ role }) => role === "user");
    return { ...rest, messages: messages.with(question, { role: "user", content: text }) as Json[] };
  }
  return { ...rest, [fields[kind] ?? "prompt"]: text };
}
