import type { InputOf, Operations, OutputOf } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { Invocation } from "./invocation.ts";
import { formatBytes, formatCount, printable } from "./output/format.ts";

export type ConsentMode = "once" | "always";
type Consent = NonNullable<InputOf<Operations["runs.start"]>["consent"]>;
type Scope = OutputOf<Operations["egress.consentStatus"]>;

/**
 * The consent that a run is started with. A flag is taken as given. Without one a person at a terminal is shown what
 * would go where, and asked; a script is never asked: the daemon refuses before a byte is sent.
 */
export async function consentFor(
  invocation: Invocation,
  flag: ConsentMode | undefined,
  scope: () => Promise<Scope | undefined>,
): Promise<Consent | undefined> {
  if (flag !== undefined) return { mode: flag };
  if (!invocation.terminal.isInteractive) return undefined;
  const shown = await scope();
  if (shown === undefined || !shown.required || shown.consented) return undefined;
  const { terminal } = invocation;
  const { bold } = terminal.errorColours;
  const what =
    shown.fileCount > 0 ? `${formatCount(shown.fileCount, "file")}, ${formatBytes(shown.totalBytes)}` : "your prompt";
  terminal.errorLine(
    `This sends ${bold(what)} to ${bold(printable(shown.host))} (${printable(`${shown.providerId}/${shown.modelId}`)}).`,
  );
  const choices = shown.scopeHash === "" ? "[o]nce or [n]o?" : "[o]nce, [a]lways for these files, or [n]o?";
  const answer = await terminal.choose(`Agree? ${choices}`, shown.scopeHash === "" ? "on" : "oan");
  if (answer === "o" || answer === "a") {
    return { mode: answer === "o" ? "once" : "always", ...(shown.scopeHash !== "" && { scopeHash: shown.scopeHash }) };
  }
  throw new BenchtopError("EGRESS_CONSENT_REQUIRED", "Nothing was sent.", {
    phase: "workshop",
    providerId: shown.providerId,
    modelId: shown.modelId,
  });
}
