import type { ConsentStatus } from "@benchtop/operations";
import { useCallback, useState } from "react";
import { client, type Failure } from "../api/client.ts";
import { refreshWorkbench } from "../api/queries.ts";

interface Asked {
  readonly status: ConsentStatus;
  readonly settle: (mode: "once" | "always" | "cancel") => void;
}

/** Consent that is given from an error, wherever it is shown: what would be sent, to whom, and a person's word. */
export function useConsent(workbenchId: string): {
  /** True once it was given (or is not needed any more). Throws where it cannot be asked. */
  readonly grant: (failure: Failure) => Promise<boolean>;
  readonly asked: Asked | undefined;
} {
  const [asked, setAsked] = useState<Asked>();
  const grant = useCallback(
    async ({ provider_id: provider, model_id: modelId }: Failure): Promise<boolean> => {
      const model = provider === undefined || modelId === undefined ? undefined : `${provider}/${modelId}`;
      const { workshop: status } = await client.call("egress.consentStatus", {
        workbenchId,
        ...(model !== undefined && { model }),
      });
      if (!status.required || status.consented) return true;
      const mode = await new Promise<"once" | "always" | "cancel">((settle) => setAsked({ status, settle }));
      setAsked(undefined);
      if (mode === "cancel") return false;
      await client.call("egress.grantConsent", {
        workbenchId,
        providerId: status.providerId,
        modelId: status.modelId,
        scopeHash: status.scopeHash,
        persist: mode === "always",
      });
      await refreshWorkbench(workbenchId);
      return true;
    },
    [workbenchId],
  );
  return { grant, asked };
}
