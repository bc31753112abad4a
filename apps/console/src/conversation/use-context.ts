import type { ContextUse } from "@benchtop/operations";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";

export interface ContextQuery {
  readonly use: ContextUse | undefined;
  readonly failure: Failure | undefined;
  readonly retry: () => Promise<void>;
}

/** Long enough that a run which writes file after file is measured now and then, not each time. */
const settleMs = 600;

/**
 * How full the window of the model is. Measured again when what is told changes: files, context items, the conversation, the
 * model, the way of asking; `stamp` is all of that in one text.
 */
export function useContextUse(input: {
  readonly workbenchId: string;
  readonly model: string | undefined;
  readonly kind: "agent" | "message";
  readonly stamp: string;
}): ContextQuery {
  const { workbenchId, model, kind } = input;
  const stamp = useSettled(`${input.stamp} ${model} ${kind}`);
  const asked = useQuery({
    // Not keyed by the workbench as other queries are: what refreshes all of those would not wait until things settle.
    queryKey: ["workshop.context", workbenchId, stamp],
    queryFn: () => client.call("workshop.context", { workbenchId, kind, ...(model !== undefined && { model }) }),
    enabled: model !== undefined,
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  });
  return {
    use: asked.data,
    failure: asked.isError ? failureOf(asked.error) : undefined,
    retry: async () => void (await asked.refetch()),
  };
}

/** A value once it has not changed for a moment; the first one at once. */
function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), settleMs);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
