import type { Blow } from "./shim.ts";

/** One process killed, or one call failed, and what start-up made of it. Its name repeats it: `--only NAME`. */
export interface Attempt {
  readonly scenario: string;
  readonly blow: Blow;
  /** A second blow, to the process that recovers from the first. */
  readonly second?: Blow;
}

/**
 * `publish:37:after` kills after boundary 37, `publish:37:after:power` loses besides what no fsync has covered
 * (`power-data`, `power-names`: only content, only entries), `publish:37:EIO` fails it, `publish:37:full` is a disk without
 * room from there on, and `publish:37:after:then:5:before` kills the recovering process as well.
 */
export function nameOf({ scenario, blow, second }: Attempt): string {
  return [scenario, ...partsOf(blow), ...(second ? ["then", ...partsOf(second)] : [])].join(":");
}

function partsOf(blow: Blow): string[] {
  if (blow.kind === "none") return ["whole"];
  if (blow.kind === "fail") return [String(blow.at), blow.onwards ? "full" : blow.errno];
  const power = blow.power && (blow.power === "all" ? "power" : `power-${blow.power}`);
  return [String(blow.at), blow.when, ...(power ? [power] : [])];
}

/** Undefined when the text is no whole name. */
export function parseName(text: string): Attempt | undefined {
  const [scenario = "", ...parts] = text.split(":");
  const seam = parts.indexOf("then");
  const blow = parseBlow(seam === -1 ? parts : parts.slice(0, seam));
  const second = seam === -1 ? undefined : parseBlow(parts.slice(seam + 1));
  if (!blow || (seam !== -1 && !second)) return undefined;
  return { scenario, blow, ...(second && { second }) };
}

function parseBlow([first, how, power]: readonly string[]): Blow | undefined {
  if (first === "whole") return { kind: "none" };
  const at = Number(first);
  if (!Number.isInteger(at) || at < 1) return undefined;
  if (how === "EIO" || how === "ENOSPC") return { kind: "fail", at, errno: how };
  if (how === "full") return { kind: "fail", at, errno: "ENOSPC", onwards: true };
  if (how !== "before" && how !== "after") return undefined;
  if (power === undefined) return { kind: "kill", at, when: how };
  if (power === "power") return { kind: "kill", at, when: how, power: "all" };
  if (power === "power-data") return { kind: "kill", at, when: how, power: "data" };
  if (power === "power-names") return { kind: "kill", at, when: how, power: "names" };
  return undefined;
}
