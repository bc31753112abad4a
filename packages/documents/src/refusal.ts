import { BenchtopError } from "@benchtop/protocol";

/** The one way in which documents are refused. A message names parts and reasons; it never holds content. */
export function refusal(message: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, { phase: "review" });
}
