import { useQuery } from "@tanstack/react-query";
import { useMay } from "../identity/identity.ts";
import { installedModels } from "./queries.ts";

/** The model that comes with Benchtop. */
export const guideRef = "benchtop/guide";

/** Whether it is there, and this person may ask it. */
export function useGuide(): boolean {
  const mayRead = useMay("providers:read");
  const mayRun = useMay("runs:write");
  const models = useQuery({ ...installedModels, enabled: mayRead }).data?.items;
  return mayRun && models?.some(({ ref, shipped }) => shipped && ref === guideRef) === true;
}
