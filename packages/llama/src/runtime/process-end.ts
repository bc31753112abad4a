import { BenchtopError } from "@benchtop/protocol/errors";

/** The last few kilobytes that a process printed to its standard error. */
export class LastWords {
  #text = "";

  hear(text: string): void {
    this.#text = (this.#text + text).slice(-8192);
  }

  /**
   * The condition of ggml's that did not hold, or what the C++ or JavaScript runtime died of: text of source code. Nothing else is
   * safe to show, for what a native library prints may hold what it was given.
   */
  get assertion(): string | undefined {
    const found =
      /GGML_ASSERT\([^\n]{1,300}\) failed|terminate called after throwing an instance of '[\w:]{1,100}'|JavaScript heap out of memory/.exec(
        this.#text,
      );
    return found?.[0].replaceAll(/[^\x20-\x7E]+/g, " ");
  }
}

/** Why a process with a model is gone, of itself. */
export function endedBy(code: number | null, signal: string | null, words: LastWords): BenchtopError {
  const { assertion } = words;
  const detail = { exit: signal ?? code ?? "unknown", ...(assertion !== undefined && { assertion }) };
  if (signal === "SIGKILL") {
    return new BenchtopError(
      "PROVIDER_UNAVAILABLE",
      "The process with the model was killed. The machine may be short of memory: unload other models, then try again.",
      { detail },
    );
  }
  return new BenchtopError(
    "PROVIDER_UNAVAILABLE",
    `The process with the model ended unexpectedly (${signal ?? `exit code ${code}`}). Try again; should it happen again, the file of the model may be damaged.`,
    { detail },
  );
}
