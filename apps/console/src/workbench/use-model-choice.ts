import { useQuery } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { modelList, query } from "../api/queries.ts";

export interface ModelChoice {
  readonly model: string | undefined;
  /** Undefined while the providers are not known. */
  readonly local: boolean | undefined;
  readonly choose: (model: string) => void;
}

const lastKey = "benchtop.model";

/** The model of a workbench: the one chosen here last, else the one chosen anywhere last, else the first there is. */
export function useModelChoice(workbenchId: string): ModelChoice {
  const key = `${lastKey}.${workbenchId}`;
  const [chosen, setChosen] = useState(() => localStorage.getItem(key) ?? localStorage.getItem(lastKey) ?? undefined);
  const models = useQuery(modelList);
  const providers = useQuery(query("providers.list", {})).data?.items;
  const known = chosen !== undefined && providers?.some(({ name }) => chosen.startsWith(`${name}/`));
  const model = known || providers === undefined ? chosen : models.data?.items[0]?.ref;
  const provider = providers?.find(({ name }) => model?.startsWith(`${name}/`));
  const choose = useCallback(
    (next: string) => {
      localStorage.setItem(key, next);
      localStorage.setItem(lastKey, next);
      setChosen(next);
    },
    [key],
  );
  return { model, local: provider?.local, choose };
}
