import { accessEvents, type AccessEventName } from "@benchtop/operations";
import { RunStatus } from "@benchtop/protocol";

/** The part of each screen's state that lives in its address. What does not parse is left out. */

export const workbenchPanes = ["review", "file", "checkpoints"] as const;
export interface WorkbenchSearch {
  readonly pane?: (typeof workbenchPanes)[number];
  /** The file that the pane shows. */
  readonly path?: string;
  /** The checkpoint that the pane points out. */
  readonly checkpoint?: string;
  readonly view?: "split" | "inline";
  /** The pane takes the whole screen. */
  readonly full?: boolean;
  /** The part shown where there is room for one only. */
  readonly tab?: "files" | "conversation";
}
export function readWorkbenchSearch(search: Record<string, unknown>): WorkbenchSearch {
  const pane = oneOf(search["pane"], workbenchPanes);
  const view = oneOf(search["view"], ["split", "inline"] as const);
  const tab = oneOf(search["tab"], ["files", "conversation"] as const);
  return {
    ...(pane !== undefined && { pane }),
    ...(typeof search["path"] === "string" && { path: search["path"] }),
    ...(typeof search["checkpoint"] === "string" && { checkpoint: search["checkpoint"] }),
    ...(view !== undefined && { view }),
    ...(search["full"] === true && { full: true }),
    ...(tab !== undefined && { tab }),
  };
}

export interface RunsSearch {
  readonly status?: RunStatus;
  readonly kind?: string;
  readonly workbenchId?: string;
}
export function readRunsSearch(search: Record<string, unknown>): RunsSearch {
  const status = oneOf(search["status"], RunStatus.options);
  return {
    ...(status !== undefined && { status }),
    ...(typeof search["kind"] === "string" && { kind: search["kind"] }),
    ...(typeof search["workbenchId"] === "string" && { workbenchId: search["workbenchId"] }),
  };
}

export interface RunSearch {
  /** `seq` of the selected event. */
  readonly event?: number;
  /** Event types that are shown; all when absent. */
  readonly types?: readonly string[];
  readonly inspect?: "rendered" | "raw";
}
export function readRunSearch(search: Record<string, unknown>): RunSearch {
  const event = search["event"];
  const types = search["types"];
  return {
    ...(typeof event === "number" && Number.isInteger(event) && event >= 0 && { event }),
    ...(Array.isArray(types) && { types: types.filter((type) => typeof type === "string") }),
    ...(search["inspect"] === "raw" && { inspect: "raw" as const }),
  };
}

/** Which answers of a report are shown; the last two need another report to compare with. */
export const sampleFilters = ["failed", "error", "ungraded", "not-run", "passed", "regressed", "fixed"] as const;
export type SampleFilter = (typeof sampleFilters)[number];
export interface EvalSearch {
  readonly show?: SampleFilter;
  readonly model?: string;
  /** Model, case and repetition of the answer that is open. */
  readonly answer?: string;
  /** The evaluation that this one is compared with. */
  readonly against?: string;
}
export function readEvalSearch(search: Record<string, unknown>): EvalSearch {
  const show = oneOf(search["show"], sampleFilters);
  return {
    ...(show !== undefined && { show }),
    ...(typeof search["model"] === "string" && { model: search["model"] }),
    ...(typeof search["answer"] === "string" && { answer: search["answer"] }),
    ...(typeof search["against"] === "string" && { against: search["against"] }),
  };
}

export interface ModelsSearch {
  /** The model whose details are shown. */
  readonly model?: string;
  readonly window?: "install" | "limits";
  /** Where the model to install is. */
  readonly source?: string;
  /** The model that is to be quantized, or loaded with settings. */
  readonly quantize?: string;
  readonly load?: string;
}
export function readModelsSearch(search: Record<string, unknown>): ModelsSearch {
  const window = oneOf(search["window"], ["install", "limits"] as const);
  return {
    ...(typeof search["model"] === "string" && { model: search["model"] }),
    ...(window !== undefined && { window }),
    ...(typeof search["source"] === "string" && { source: search["source"] }),
    ...(typeof search["quantize"] === "string" && { quantize: search["quantize"] }),
    ...(typeof search["load"] === "string" && { load: search["load"] }),
  };
}

/** The models that are asked side by side. What is asked stays out of the address: it may be nobody else's business. */
export const mostCompared = 3;
export interface PlaygroundSearch {
  readonly models?: readonly string[];
}
export function readPlaygroundSearch(search: Record<string, unknown>): PlaygroundSearch {
  const models = search["models"];
  if (!Array.isArray(models)) return {};
  return { models: models.filter((model) => typeof model === "string").slice(0, mostCompared) };
}

export interface ModelJobsSearch {
  readonly window?: "train" | "quantize";
  /** The model that training begins with. */
  readonly base?: string;
}
export function readModelJobsSearch(search: Record<string, unknown>): ModelJobsSearch {
  const window = oneOf(search["window"], ["train", "quantize"] as const);
  return {
    ...(window !== undefined && { window }),
    ...(typeof search["base"] === "string" && { base: search["base"] }),
  };
}

export const settingsSections = [
  "providers",
  "network",
  "members",
  "keys",
  "access-log",
  "failures",
  "workspace",
  "sign-ins",
  "appearance",
  "about",
] as const;
export interface SettingsSearch {
  readonly section?: (typeof settingsSections)[number];
  /** What the access log is narrowed to. */
  readonly event?: AccessEventName;
  /** The member whose lines the access log shows. */
  readonly person?: string;
  /** The workbench whose failures are shown. */
  readonly workbench?: string;
}
export function readSettingsSearch(search: Record<string, unknown>): SettingsSearch {
  const section = oneOf(search["section"], settingsSections);
  const event = oneOf(search["event"], accessEvents);
  return {
    ...(section !== undefined && { section }),
    ...(event !== undefined && { event }),
    ...(typeof search["person"] === "string" && { person: search["person"] }),
    ...(typeof search["workbench"] === "string" && { workbench: search["workbench"] }),
  };
}

/** The operation is in the address, what was filled in is not: it may hold secrets. */
export interface ExplorerSearch {
  readonly operation?: string;
}
export function readExplorerSearch(search: Record<string, unknown>): ExplorerSearch {
  return typeof search["operation"] === "string" ? { operation: search["operation"] } : {};
}

function oneOf<const Value extends string>(value: unknown, values: readonly Value[]): Value | undefined {
  return values.find((each) => each === value);
}
