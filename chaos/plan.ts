import type { Attempt } from "./attempt.ts";
import type { Laboratory, Prepared } from "./laboratory.ts";
import { evenly } from "./options.ts";
import { quietCalls, type Blow, type Boundary } from "./shim.ts";

/** Attempts of one kind on one scenario, in the order of their boundaries. */
export interface Group {
  readonly title: string;
  readonly prepared: Prepared;
  readonly attempts: readonly Attempt[];
}

/** Every attempt on one scenario. */
export async function plan(laboratory: Laboratory, prepared: Prepared, firstBlows: number): Promise<Group[]> {
  const scenario = prepared.scenario.name;
  const group = (title: string, blows: readonly Blow[]): Group => ({
    title,
    prepared,
    attempts: blows.map((blow) => ({ scenario, blow })),
  });
  return [
    group("killed", kills(prepared.boundaries)),
    group("power cut", powerCuts(prepared.boundaries)),
    ...(prepared.scenario.faults ? [group("call failed", faults(prepared.faults))] : []),
    {
      title: "recovery killed",
      prepared,
      attempts: await recoveries(laboratory, prepared, firstBlows),
    },
  ];
}

/**
 * Before and after every boundary. Between two writes of one commit to the write-ahead log nothing else can happen, so
 * the instant after the first is the instant before the second, and is taken once.
 */
function kills(boundaries: readonly Boundary[]): Blow[] {
  return boundaries.flatMap((boundary, index): Blow[] => {
    const before: Blow = { kind: "kill", at: boundary.n, when: "before" };
    return sameCommit(boundary, boundaries[index + 1]) ? [before] : [before, { ...before, when: "after" }];
  });
}

/** After every change of names and at the end of every commit, losing all that no fsync covered; in turn, only content or only names. */
function powerCuts(boundaries: readonly Boundary[]): Blow[] {
  return boundaries.flatMap((boundary, index): Blow[] => {
    if (sameCommit(boundary, boundaries[index + 1])) return [];
    const all: Blow = { kind: "kill", at: boundary.n, when: "after", power: "all" };
    return [all, { ...all, power: index % 2 === 0 ? "data" : "names" }];
  });
}

/** An error of the disk at every call; no room once, or from there on, at every call that needs room. */
function faults(boundaries: readonly Boundary[]): Blow[] {
  return boundaries.flatMap((boundary, index): Blow[] => {
    const { n: at, call } = boundary;
    const previous = boundaries[index - 1];
    if (sameCommit(previous, boundary) || sameReading(previous, boundary)) return [];
    const broken: Blow = { kind: "fail", at, errno: "EIO" };
    if (call === "unlink" || call === "rmdir" || call.endsWith("sync") || quietCalls.has(call)) return [broken];
    return [broken, { ...broken, errno: "ENOSPC" }, { ...broken, errno: "ENOSPC", onwards: true }];
  });
}

function sameCommit(one: Boundary | undefined, next: Boundary | undefined): boolean {
  return one !== undefined && one.call === "pwrite" && one.call === next?.call && one.path === next.path;
}

/** One read of a file stands for those that go on with it. */
function sameReading(one: Boundary | undefined, next: Boundary): boolean {
  return one !== undefined && one.call === "read" && one.call === next.call && one.path === next.path;
}

/** For first kills spread over the scenario, a second kill at every boundary of the recovery. */
async function recoveries(laboratory: Laboratory, prepared: Prepared, count: number): Promise<Attempt[]> {
  const attempts: Attempt[] = [];
  // Without the first and the last: there is nothing to recover from there.
  for (const { n: at } of evenly(prepared.boundaries, count + 2).slice(1, -1)) {
    const blow: Blow = { kind: "kill", at, when: "after" };
    const boundaries = await laboratory.recoveryBoundaries(prepared, blow);
    for (const second of kills(boundaries)) attempts.push({ scenario: prepared.scenario.name, blow, second });
  }
  return attempts;
}
