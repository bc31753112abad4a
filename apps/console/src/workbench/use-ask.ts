import type { ConsentStatus, InputOf, Operations } from "@benchtop/operations";
import { useCallback, useState } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { queryClient, refreshWorkbench } from "../api/queries.ts";

interface Question {
  readonly task: string;
  readonly model: string;
  readonly status: ConsentStatus;
}

export interface Ask {
  /** Starts a run, or opens the consent question first. True when the task was taken. */
  readonly ask: (task: string, model: string) => Promise<boolean>;
  readonly sending: boolean;
  readonly failure: Failure | undefined;
  readonly failedTask: { readonly task: string; readonly model: string } | undefined;
  readonly dismiss: () => void;
  /** The consent question that is open now. */
  readonly question: Question | undefined;
  readonly answer: (mode: "once" | "always" | "cancel") => Promise<void>;
}

/** Asks an agent; a model on another machine needs a person's consent to what it would be shown, before the run begins. */
export function useAsk(workbenchId: string): Ask {
  const [sending, setSending] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const [failedTask, setFailedTask] = useState<{ task: string; model: string }>();
  const [question, setQuestion] = useState<Question>();

  const start = useCallback(
    async (input: InputOf<Operations["workshop.runAgent"]>) => {
      await client.call("workshop.runAgent", input);
      // The conversation first: if it says that the run has ended already, what is asked after it knows the outcome.
      await queryClient.invalidateQueries({ queryKey: ["workshop.conversation", { workbenchId }] });
      await refreshWorkbench(workbenchId);
    },
    [workbenchId],
  );
  const attempt = useCallback(async (task: string, model: string, action: () => Promise<void>): Promise<boolean> => {
    setSending(true);
    setFailure(undefined);
    try {
      await action();
      return true;
    } catch (thrown) {
      setFailure(failureOf(thrown));
      setFailedTask({ task, model });
      return false;
    } finally {
      setSending(false);
    }
  }, []);

  const ask = useCallback(
    (task: string, model: string) =>
      attempt(task, model, async () => {
        const { workshop: status } = await client.call("egress.consentStatus", { workbenchId, model });
        if (status.required && !status.consented) setQuestion({ task, model, status });
        else await start({ workbenchId, task, model });
      }),
    [workbenchId, start, attempt],
  );
  const answer = useCallback(
    async (mode: "once" | "always" | "cancel") => {
      setQuestion(undefined);
      if (question === undefined || mode === "cancel") return;
      const { task, model, status } = question;
      await attempt(task, model, () =>
        start({ workbenchId, task, model, consent: { mode, scopeHash: status.scopeHash } }),
      );
    },
    [question, workbenchId, start, attempt],
  );
  return { ask, sending, failure, failedTask, dismiss: () => setFailure(undefined), question, answer };
}
