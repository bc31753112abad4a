import type { FileOrigin, Workbench } from "@benchtop/operations";
import { queryOptions } from "@tanstack/react-query";
import { client } from "../api/client.ts";

/**
 * Where the files came from. Looking there reads the places of all of them, so it is asked again when the published files
 * changed or a minute has gone, not with everything else of the workbench.
 */
export function originsOf({ workbenchId, manifestHash }: Pick<Workbench, "workbenchId" | "manifestHash">) {
  return queryOptions({
    queryKey: ["files.origins", { of: workbenchId, manifestHash }],
    queryFn: async (): Promise<readonly FileOrigin[]> => (await client.call("files.origins", { workbenchId })).items,
    staleTime: 60_000,
    refetchOnWindowFocus: false,
  });
}

/** Files whose published content is not what lies where they came from. */
export function newerHere(origins: readonly FileOrigin[]): FileOrigin[] {
  return origins.filter(({ state }) => state === "changed-here" || state === "conflict");
}
