import type { ModelDownload } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { query, queryClient } from "../api/queries.ts";

export const installedModels = query("localModels.list", {});
export const modelSettings = query("localModels.settings", {});
const runtimes = query("modelRuntimes.status", {});
const downloads = query("modelDownloads.list", {});

/** What is on its way counts itself; what waits for a person does not. */
export function isGoing({ state }: ModelDownload): boolean {
  return state === "queued" || state === "running" || state === "verifying";
}

/** Which models run. Asked every two seconds while somebody looks: they leave by themselves. */
export function useRuntimes() {
  return useQuery({ ...runtimes, refetchInterval: 2_000 });
}

/** Downloads, asked twice a second while something comes. What has arrived is among the models at once. */
export function useDownloads() {
  const list = useQuery({
    ...downloads,
    refetchInterval: ({ state }) => (state.data?.items.some(isGoing) === true ? 500 : 5_000),
  });
  const going = list.data?.items.filter(isGoing).length ?? 0;
  const [before, setBefore] = useState(going);
  useEffect(() => {
    if (going < before) void refreshModels();
    setBefore(going);
  }, [going, before]);
  return list;
}

/** Everything that is shown of local models is asked again. */
export async function refreshModels(): Promise<void> {
  await Promise.all(
    ["localModels.list", "localModels.get", "modelRuntimes.status", "modelDownloads.list", "models.list"].map((id) =>
      queryClient.invalidateQueries({ queryKey: [id] }),
    ),
  );
}
