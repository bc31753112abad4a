import type { Workbench } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol";
import type { Caller } from "../../api/caller.ts";
import type { Question } from "./confirmation.ts";
import type { Fields } from "./offers.ts";
import { inWords } from "./shown.ts";

/** What a question is about, and who asks it. */
export interface Asking {
  readonly input: Fields;
  readonly caller: Caller;
  readonly signal: AbortSignal;
}

export type Describe = (asking: Asking) => Promise<Question>;

export const marks = { added: "+", modified: "~", deleted: "-" } as const;

export async function benchOf({ workbenchId }: Fields, caller: Caller, signal: AbortSignal): Promise<Workbench> {
  return await caller.call("workbenches.open", { workbenchId: String(workbenchId) }, signal);
}

const maxShown = 3000;

/** Nobody decides about what they were shown a part of. */
export function whole(text: string): string {
  if (text.length <= maxShown) return inWords(text, maxShown);
  throw tooLong({ characters: text.length, limit: maxShown });
}

export function tooLong(detail: Readonly<Record<string, number | string>>): BenchtopError {
  return new BenchtopError(
    "PERMISSION_DENIED",
    "What this is about is too long to be shown in a question. A person decides it in the console, or on the command line.",
    { phase: "settings", subphase: "confirmation", actions: [], detail },
  );
}

export function noDraft(what: string): BenchtopError {
  return new BenchtopError("NOT_FOUND", `There is no Draft to ${what}.`, { phase: "review" });
}
