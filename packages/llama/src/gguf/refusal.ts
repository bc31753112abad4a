import { BenchtopError, type ErrorDetail } from "@benchtop/protocol/errors";

/** The one way in which model files are refused. A message says what is wrong and what to do; it never holds content. */
export function refusal(message: string, detail?: Readonly<Record<string, ErrorDetail>>): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, detail && { detail });
}
