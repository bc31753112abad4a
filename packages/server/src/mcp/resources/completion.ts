import type { CompleteRequestParams } from "@modelcontextprotocol/server";
import type { Caller } from "../../api/caller.ts";
import type { McpRequest } from "../feature.ts";
import { templates } from "./uris.ts";

const looked = 1000;

/** What the variables of our resource templates may be. */
export function completeResource(
  { ref, argument, context }: CompleteRequestParams,
  { caller, signal }: McpRequest,
): Promise<readonly string[]> | undefined {
  if (ref.type !== "ref/resource" || !(Object.values(templates) as string[]).includes(ref.uri)) return undefined;
  const { name, value } = argument;
  if (name === "workbench") return completeWorkbench(value, caller, signal);
  if (name === "run") return completeRun(value, caller, signal);
  const workbenchId = context?.arguments?.["workbench"];
  if (name !== "path" || workbenchId === undefined) return Promise.resolve([]);
  return completePath(value, workbenchId, ref.uri === templates.draftFile ? "draft" : "published", caller, signal);
}

export async function completeWorkbench(
  value: string,
  caller: Caller,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (!caller.may("workbenches:read")) return [];
  const { items } = await caller.call("workbenches.list", { limit: looked }, signal);
  const wanted = value.toLowerCase();
  return items.filter(({ name }) => name.toLowerCase().startsWith(wanted)).map(({ name }) => name);
}

export async function completeRun(value: string, caller: Caller, signal: AbortSignal): Promise<readonly string[]> {
  if (!caller.may("runs:read")) return [];
  const { items } = await caller.call("runs.list", { limit: looked }, signal);
  return items.map(({ runId }) => runId).filter((runId) => runId.startsWith(value));
}

async function completePath(
  value: string,
  workbenchId: string,
  side: "published" | "draft",
  caller: Caller,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (!caller.may("workbenches:read")) return [];
  const { items } = await caller.call("files.list", { workbenchId, side, limit: looked }, signal);
  return items.map(({ path }) => path).filter((path) => path.startsWith(value));
}
