import { BenchtopError, type ErrorDetail } from "@benchtop/protocol/errors";

/** The one way in which training data and settings are refused. Messages name lines and settings; they never hold content. */
export function refusal(message: string, detail?: Readonly<Record<string, ErrorDetail>>): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, { phase: "job", ...(detail && { detail }) });
}
