import type { RunScope } from "@benchtop/harness";
import { BenchtopError, Message } from "@benchtop/protocol";
import { z } from "zod";
import type { Scope } from "../consent/consent.ts";
import type { Environment } from "../environment.ts";

const KnownModel = z.object({
  contextTokens: z.number().optional(),
  maxOutputTokens: z.number().optional(),
  tools: z.boolean().optional(),
  output: z.boolean().optional(),
  attachments: z.boolean().optional(),
});
export type KnownModel = z.infer<typeof KnownModel>;

/**
 * What a run was told besides its task, as it was when it began. It is a blob that the journal names, so that the run can be
 * resumed and replayed whatever becomes of the files and of the conversation since.
 */
const FrozenContext = z.object({
  version: z.literal(1),
  scope: z.object({ hash: z.string(), fileCount: z.number(), totalBytes: z.number() }),
  workbench: z
    .object({
      name: z.string(),
      files: z.array(z.json()),
      items: z
        .array(
          z.object({ kind: z.enum(["situation", "style-guide", "reference"]), title: z.string(), content: z.string() }),
        )
        .default([]),
      /** Of a message: the files whose text it shows, and what marks their ends. */
      shown: z.object({ paths: z.array(z.string()), leftOut: z.array(z.string()), fence: z.string() }).optional(),
    })
    .optional(),
  history: z.array(Message),
  /** What was known of each model by its reference: how long a prompt may be decides what is in it. */
  models: z.record(z.string(), KnownModel).optional(),
});
export type FrozenContext = z.infer<typeof FrozenContext> & { readonly scope: Scope };

/** The context that the journal names; undefined in a run that has not come to it yet. */
export async function recordedContext(environment: Environment, run: RunScope): Promise<FrozenContext | undefined> {
  const assembled = run.past?.takeIf("ContextAssembled");
  if (!assembled) return undefined;
  try {
    const bytes = await environment.store.blobs.read(assembled.sha256);
    return FrozenContext.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
  } catch (thrown) {
    throw BenchtopError.from(thrown, "FILE_READ_FAILED", { phase: "workshop", runId: run.runId });
  }
}

/** Keeps the context, and says so in the journal. */
export async function freeze(
  environment: Environment,
  run: RunScope,
  context: Omit<FrozenContext, "version">,
): Promise<void> {
  const frozen: FrozenContext = { version: 1, ...context };
  const { sha256, bytes } = await environment.store.blobs.put(Buffer.from(JSON.stringify(frozen)));
  await run.emit({ type: "ContextAssembled", sha256, bytes });
}
