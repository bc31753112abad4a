import { BenchtopError } from "@benchtop/protocol";

/** What a promise is rejected with, which has to be of the taxonomy. */
export async function failureOf(promise: Promise<unknown>): Promise<BenchtopError> {
  try {
    await promise;
  } catch (thrown) {
    if (BenchtopError.is(thrown)) return thrown;
    throw thrown;
  }
  throw new Error("It worked where it had to fail.");
}
