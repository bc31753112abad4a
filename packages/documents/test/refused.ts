import { BenchtopError } from "@benchtop/protocol";

/** Why something was refused, as documents are refused; null where it was not. Everything else that is thrown goes on. */
export function refusedWith(action: () => unknown): string | null {
  try {
    action();
    return null;
  } catch (thrown) {
    if (BenchtopError.is(thrown) && thrown.code === "VALIDATION_FAILED" && thrown.info.phase === "review") {
      return thrown.message;
    }
    throw thrown;
  }
}
