import { BenchtopError } from "@benchtop/protocol";

/**
 * What went wrong with a model of this machine, in the codes that a plan goes on from with its next model. `USER_CANCELED`, or the
 * signal's reason where that is of the taxonomy, when whoever asked has left.
 */
export function failureOf(thrown: unknown, providerId: string, modelId: string, signal: AbortSignal): BenchtopError {
  const place = { providerId, modelId };
  if (signal.aborted) return BenchtopError.from(signal.reason, "USER_CANCELED").at(place);
  const error = BenchtopError.from(thrown);
  if (error.category === "provider" || error.code === "VALIDATION_FAILED") return error.at(place);
  if (error.code === "USER_CANCELED") {
    // Not by who asked: its process was closed below it.
    return new BenchtopError("PROVIDER_UNAVAILABLE", `${modelId} was shut down before its answer was complete.`, place);
  }
  return new BenchtopError("PROVIDER_UNAVAILABLE", `${modelId} could not be run. ${error.message}`, {
    ...place,
    cause: thrown,
    retryable: error.info.retryable || error.code === "INTERNAL",
    detail: { ...error.info.detail, code: error.code },
  });
}
