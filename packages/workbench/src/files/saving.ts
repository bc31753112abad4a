import { BenchtopError } from "@benchtop/protocol";

/** Does work that writes files, and tells a failure of the disk in the words of the taxonomy: `DISK_FULL`, `FILE_WRITE_FAILED`. */
export async function saving<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (thrown) {
    const code = (thrown as { code?: unknown } | null)?.code;
    // Without an errno it is no failure of the disk but a defect of ours, and stays one.
    if (BenchtopError.is(thrown) || typeof code !== "string" || !/^E[A-Z0-9]+$/.test(code)) throw thrown;
    const error = BenchtopError.from(thrown, "FILE_WRITE_FAILED", { phase: "workbench" });
    if (error.code !== "FILE_WRITE_FAILED") throw error;
    const message = `Benchtop could not write to its own folder (${code}). Check the disk, then try again.`;
    throw new BenchtopError("FILE_WRITE_FAILED", message, { phase: "workbench", cause: thrown });
  }
}
