import { machineProvider } from "@benchtop/models";
import { BenchtopError } from "@benchtop/protocol";

/**
 * A model of this machine as Ollama's clients name it: `NAME`, `NAME:latest` or `NAME:TAG`, which is installed as `NAME-TAG`.
 * Throws `VALIDATION_FAILED` for a name that no model can have.
 */
export function localName(written: string): string {
  const name = written
    .replace(/:latest$/, "")
    .replace(":", "-")
    .toLowerCase();
  if (/^[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?$/.test(name)) return name;
  throw new BenchtopError("VALIDATION_FAILED", `“${written.slice(0, 100)}” is no name of a model of this machine.`, {
    phase: "run",
  });
}

/** `PROVIDER/MODEL` where one is written, so that every model of the workspace can be asked; else a model of this machine. */
export function modelRef(written: string): string {
  return /^[a-z0-9][a-z0-9-]*\/\S+$/.test(written) ? written : `${machineProvider}/${localName(written)}`;
}

/** Older clients say `name`. */
export function nameIn({
  model,
  name,
}: {
  readonly model?: string | undefined;
  readonly name?: string | undefined;
}): string {
  const written = model ?? name;
  if (written !== undefined) return localName(written);
  throw new BenchtopError("VALIDATION_FAILED", "Name a model.", { phase: "run", detail: { fields: ["model"] } });
}
