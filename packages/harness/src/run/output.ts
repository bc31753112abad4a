import { BenchtopError, type AssistantMessage, type Json } from "@benchtop/protocol";
import { parseModelJson } from "../provider/model-json.ts";
import type { OutputSchema } from "../provider/provider.ts";
import { problemsWith } from "../tools/registry.ts";

/** An answer as data, or what to tell the model about why it is none; neither where no data was asked for. */
export interface Output {
  readonly result?: Json;
  readonly correction?: string;
}

const maxProblems = 8;

/**
 * Reads the JSON that was asked for. A model may wrap it in a code fence, as many do whatever they are told; anything else
 * around it is a mistake.
 */
export function outputIn(message: AssistantMessage, asked: OutputSchema | undefined): Output {
  if (!asked) return {};
  const { schema, name } = asked;
  const text = withoutFence(message.content);
  const value = parseModelJson(text);
  if (value === undefined) {
    return {
      correction: `Your answer is not JSON. Answer with nothing but one JSON value that matches the schema "${name}".`,
    };
  }
  const problems = problemsWith(schema, value).slice(0, maxProblems);
  if (problems.length === 0) return { result: value };
  return {
    correction: `Your answer does not match the schema "${name}": ${problems.join("; ")}. Answer again with the whole JSON value, corrected.`,
  };
}

/** The failure of a run whose model could not give the output asked for. */
export function unusableOutput({ name }: OutputSchema, wasCorrected: boolean): BenchtopError {
  return new BenchtopError(
    "VALIDATION_FAILED",
    `The model's answer does not match the schema "${name}"${wasCorrected ? ", also after it was corrected once" : ""}.`,
    {
      subphase: "output",
      actions: ["retry", "switch_model"],
      detail: { schema: name },
    },
  );
}

function withoutFence(text: string): string {
  return /^\s*```(?:json)?\s*\n([\s\S]*?)\n?```\s*$/.exec(text)?.[1] ?? text;
}
