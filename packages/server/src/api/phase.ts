import type { Phase } from "@benchtop/protocol";

const phaseByCapability: Readonly<Record<string, Phase>> = {
  runs: "run",
  conversations: "run",
  evals: "run",
  workbenches: "workbench",
  files: "workbench",
  outsideChanges: "workbench",
  contextItems: "workbench",
  workshop: "workshop",
  egress: "workshop",
  draft: "review",
  review: "review",
  checkpoints: "restore",
};

/** Where in a person's work an operation belongs; `phase` of the errors that the API itself finds. */
export function phaseOf(id: string): Phase {
  if (id === "draft.publish") return "publish";
  return phaseByCapability[id.slice(0, id.indexOf("."))] ?? "settings";
}
