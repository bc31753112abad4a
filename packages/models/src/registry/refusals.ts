import { BenchtopError, type ErrorCode, type ErrorDetail, type ErrorOptions } from "@benchtop/protocol";

/** What the registry and the queue refuse, in one way: a sentence on what is wrong, and one on what to do. */
export function refusal(
  code: ErrorCode,
  message: string,
  options: Pick<ErrorOptions, "retryable" | "cause"> & { readonly detail?: Readonly<Record<string, ErrorDetail>> } = {},
): BenchtopError {
  return new BenchtopError(code, message, { phase: "settings", subphase: "local-models", ...options });
}

export function invalid(message: string): BenchtopError {
  return refusal("VALIDATION_FAILED", message);
}

export function notInstalled(name: string): BenchtopError {
  return refusal("NOT_FOUND", `No model “${name}” is installed on this machine.`);
}

export function nameTaken(name: string): BenchtopError {
  return invalid(`A model “${name}” is installed already. Choose another name, or remove that one first.`);
}

/** A size for people: `4.1 GB`. */
export function sizeInWords(bytes: number): string {
  let value = bytes;
  let unit = "bytes";
  for (const larger of ["kB", "MB", "GB", "TB"]) {
    if (value < 999.95) break;
    value /= 1000;
    unit = larger;
  }
  return `${unit === "bytes" ? value : value.toFixed(1)} ${unit}`;
}
