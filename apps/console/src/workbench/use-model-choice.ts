import type { ConversationEntry } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { modelList, query, queryClient } from "../api/queries.ts";
import { modelOf } from "../conversation/entry.ts";

export interface ModelChoice {
  readonly model: string | undefined;
  /** Providers and models are being asked for, and there is no model yet. */
  readonly settling: boolean;
  /** Undefined while the providers are not known. */
  readonly local: boolean | undefined;
  /** In a conversation that has begun, the switch is part of it. */
  readonly choose: (model: string) => void;
  readonly failure: Failure | undefined;
  readonly failed: string | undefined;
}

const lastKey = "benchtop.model";

/** Of the models that are installed here: no provider stands for them. */
const isOfMachine = (ref: string | undefined): boolean => ref?.startsWith("benchtop/") === true;

/**
 * The model of a workbench: that of its conversation; before that has begun the one chosen here last, else the one chosen
 * anywhere last, else the first there is.
 */
export function useModelChoice(workbenchId: string, entries: readonly ConversationEntry[]): ModelChoice {
  const key = `${lastKey}.${workbenchId}`;
  const [stored, setStored] = useState(() => localStorage.getItem(key) ?? localStorage.getItem(lastKey) ?? undefined);
  /** On its way to the conversation. */
  const [switching, setSwitching] = useState<string>();
  const [failed, setFailed] = useState<{ readonly model: string; readonly failure: Failure }>();
  const models = useQuery(modelList);
  const configured = useQuery(query("providers.list", {}));
  const providers = configured.data?.items;
  const spoken = modelOf(entries);
  const begun = spoken !== undefined;
  const chosen = switching ?? spoken ?? stored;
  const known =
    chosen !== undefined &&
    (isOfMachine(chosen)
      ? models.data === undefined || models.data.items.some(({ ref }) => ref === chosen)
      : providers?.some(({ name }) => chosen.startsWith(`${name}/`)));
  // A model that calls no tools, as the guide, cannot work on files: nobody is given it unasked.
  const first = models.data?.items.find(({ capabilities }) => capabilities?.tools !== false);
  const model = known || providers === undefined ? chosen : first?.ref;
  const provider = providers?.find(({ name }) => model?.startsWith(`${name}/`));
  const choose = useCallback(
    (next: string) => {
      localStorage.setItem(key, next);
      localStorage.setItem(lastKey, next);
      setStored(next);
      setFailed(undefined);
      if (!begun) return;
      setSwitching(next);
      void (async () => {
        try {
          await client.call("workshop.switchModel", { workbenchId, model: next });
          await queryClient.invalidateQueries({ queryKey: ["workshop.conversation", { workbenchId }] });
        } catch (thrown) {
          setFailed({ model: next, failure: failureOf(thrown) });
        } finally {
          setSwitching((current) => (current === next ? undefined : current));
        }
      })();
    },
    [key, begun, workbenchId],
  );
  return {
    model,
    settling: model === undefined && (models.isLoading || configured.isLoading),
    local: isOfMachine(model) ? true : provider?.local,
    choose,
    failure: failed?.failure,
    failed: failed?.model,
  };
}
