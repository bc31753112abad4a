/** The gate of the guide: fitted from the questions in `models/guide`, and judged by those that it was not fitted with. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fitGate } from "../../packages/models/src/guide/fit-gate.ts";
import { loadGate, printGate } from "../../packages/models/src/guide/gate.ts";
import { guideFolder, readHeldOut, readOutside, readTopics } from "./examples.ts";

/** Fits the gate and writes its file. */
export function writeGate(): void {
  const outside = readOutside().filter(({ split }) => split === "gate");
  const { parameters, accepted, refused } = fitGate({
    inside: readTopics().map(({ questions }) => [...questions]),
    outside: outside.map(({ question }) => question),
  });
  writeFileSync(join(guideFolder, "gate.json"), printGate(parameters));
  console.log(
    `fitted: threshold ${parameters.threshold}; of questions left out, ${percent(accepted)} of the training's`,
  );
  console.log(`are accepted (its keywords included) and ${percent(refused)} of the others refused`);
}

/** How the gate that is there does on the questions that were kept from it. */
export function gateReport(): string[] {
  const gate = loadGate(readFileSync(join(guideFolder, "gate.json"), "utf8"));
  const accepts = (question: string): boolean => gate.decide(question).answers;
  const heldOut = readHeldOut();
  const test = readOutside().filter(({ split }) => split === "test");
  const kinds = [...Map.groupBy(test, ({ kind }) => kind)];
  return [
    row("held-out questions accepted", heldOut.filter(({ question }) => accepts(question)).length, heldOut.length),
    row("outside questions refused", test.filter(({ question }) => !accepts(question)).length, test.length),
    ...kinds.map(([kind, questions]) =>
      row(`  ${kind}`, questions.filter(({ question }) => !accepts(question)).length, questions.length),
    ),
  ];
}

function row(name: string, right: number, all: number): string {
  return `${name.padEnd(34)} ${String(right).padStart(4)} of ${String(all).padStart(4)}  ${percent(right / all)}`;
}

function percent(value: number): string {
  return `${(100 * value).toFixed(1)} %`;
}
