import { BenchtopError, type RunEvent } from "@benchtop/protocol";

/**
 * The place where a program, driven again from its journal, did something else than is recorded. `detail` names the event
 * (`seq`, `event`), the field and both values as far as they are no content.
 */
export function diverged(at: RunEvent | undefined, field: string, expected: string, actual: string): BenchtopError {
  const where = at ? `event ${at.seq} (${at.type})` : "the start";
  const message =
    field === "type"
      ? `The run went another way at ${where}: recorded is ${expected}, it now came to ${actual}.`
      : `The run differs at ${where}: ${describe[field] ?? `its ${field} is not what is recorded`}.`;
  return new BenchtopError("REPLAY_DIVERGED", message, {
    detail: { seq: at?.seq ?? 0, event: at?.type ?? "RunStarted", field, expected, actual },
  });
}

const describe: Readonly<Record<string, string>> = {
  requestHash: "the request to the model is another (its instructions, messages, tools or settings changed)",
  providerId: "another provider is asked",
  modelId: "another model is asked",
  arguments: "the tool is called with other arguments",
};
