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
      : `The run differs at ${where}: ${describe(field)}.`;
  return new BenchtopError("REPLAY_DIVERGED", message, {
    detail: { seq: at?.seq ?? 0, event: at?.type ?? "RunStarted", field, expected, actual },
  });
}

function describe(field: string): string {
  if (field.startsWith("request")) return `the request to the model is another (${partsOf(field)})`;
  return descriptions[field] ?? `its ${field} is not what is recorded`;
}

function partsOf(field: string): string {
  return field === "requestHash" ? "it is not known which part" : field.replaceAll("request.", "its ");
}

const descriptions: Readonly<Record<string, string>> = {
  providerId: "another provider is asked",
  modelId: "another model is asked",
  arguments: "the tool is called with other arguments",
};
