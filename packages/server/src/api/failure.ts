import { BenchtopError } from "@benchtop/protocol";
import type { FailedCall, FailureReports } from "../failures/failure-reports.ts";
import type { Log } from "../log/log.ts";
import { writeReport } from "../log/reports.ts";
import { Refusal } from "./refusal.ts";

/** Anything thrown, as what the caller is told. What nobody expected leaves a report behind, and so does what is nobody's fault. */
export async function toFailure(
  parts: { readonly home: string; readonly log: Log; readonly failures?: Pick<FailureReports, "ofCall"> },
  thrown: unknown,
  context: Readonly<Record<string, string | undefined>>,
  call?: FailedCall,
): Promise<BenchtopError | Refusal> {
  const refusal = refusalIn(thrown);
  if (refusal !== undefined) return refusal;
  const given = BenchtopError.from(thrown);
  const kept = call && (await parts.failures?.ofCall(call, given));
  const error = kept === undefined ? given : given.at({ detailRef: kept });
  if (error.code !== "INTERNAL" || error.info.detail_ref !== undefined) return error;
  try {
    const detailRef = await writeReport(parts.home, error.cause ?? thrown, context);
    parts.log.error("unexpected", { ...context, report: detailRef });
    return new BenchtopError("INTERNAL", `${error.message} A report was kept: ${detailRef}.`, { detailRef });
  } catch (cause) {
    parts.log.error("report-failed", { ...context, code: (cause as NodeJS.ErrnoException).code });
    return error;
  }
}

/** The error of the taxonomy that a failure carries, whatever HTTP has to say beside it. */
export function errorOf(failure: BenchtopError | Refusal): BenchtopError {
  return failure instanceof Refusal ? failure.error : failure;
}

/** A refusal of the body reaches us wrapped by whatever was reading the body. */
function refusalIn(thrown: unknown): Refusal | undefined {
  for (let cause = thrown; cause instanceof Error; cause = cause.cause) if (cause instanceof Refusal) return cause;
  return undefined;
}
