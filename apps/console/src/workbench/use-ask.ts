import type { ConsentStatus, InputOf, Operations } from "@benchtop/operations";
import { useCallback, useState } from "react";
import { client, failureOf, isCode, type Failure } from "../api/client.ts";
import { queryClient, refreshWorkbench } from "../api/queries.ts";

/** What is asked of a model: a task for an agent, a message, or the newest turn once more. */
export type Question =
  | { readonly kind: "agent" | "message"; readonly text: string; readonly model: string }
  | {
      readonly kind: "regenerate";
      /** What is asked again. */
      readonly text: string;
      readonly turnRunId: string;
      readonly model: string;
      readonly discardEdits: boolean;
    };

type Consent = InputOf<Operations["workshop.runAgent"]>["consent"];

interface Open {
  readonly question: Question;
  readonly status: ConsentStatus;
}

export interface Ask {
  /** Starts a run, or opens the consent question first. True when the question was taken. */
  readonly ask: (question: Question) => Promise<boolean>;
  readonly sending: boolean;
  readonly failure: Failure | undefined;
  readonly failed: Question | undefined;
  readonly dismiss: () => void;
  /** The consent question that is open now. */
  readonly open: Open | undefined;
  readonly answer: (mode: "once" | "always" | "cancel") => Promise<void>;
}

/** Asks a model; one on another machine needs a person's consent to what it would be shown, before the run begins. */
export function useAsk(workbenchId: string): Ask {
  const [sending, setSending] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const [failed, setFailed] = useState<Question>();
  const [open, setOpen] = useState<Open>();

  const start = useCallback(
    async (question: Question, consent: Consent) => {
      await send(workbenchId, question, consent);
      // The conversation first: if it says that the run has ended already, what is asked after it knows the outcome.
      await queryClient.invalidateQueries({ queryKey: ["workshop.conversation", { workbenchId }] });
      await refreshWorkbench(workbenchId);
    },
    [workbenchId],
  );
  const attempt = useCallback(
    async (question: Question, consent: Consent): Promise<boolean> => {
      setSending(true);
      setFailure(undefined);
      try {
        const { model } = question;
        const statusOf = async () => (await client.call("egress.consentStatus", { workbenchId, model })).workshop;
        const status = consent === undefined ? await statusOf() : undefined;
        if (status?.required === true && !status.consented) {
          setOpen({ question, status });
          return true;
        }
        try {
          await start(question, consent);
        } catch (thrown) {
          if (!isCode(thrown, "EGRESS_CONSENT_REQUIRED")) throw thrown;
          // What would be sent has changed since it was shown: it is shown as it is now.
          setOpen({ question, status: await statusOf() });
        }
        return true;
      } catch (thrown) {
        setFailure(failureOf(thrown));
        setFailed(question);
        return false;
      } finally {
        setSending(false);
      }
    },
    [workbenchId, start],
  );

  const ask = useCallback((question: Question) => attempt(question, undefined), [attempt]);
  const answer = useCallback(
    async (mode: "once" | "always" | "cancel") => {
      setOpen(undefined);
      if (open === undefined || mode === "cancel") return;
      await attempt(open.question, { mode, scopeHash: open.status.scopeHash });
    },
    [open, attempt],
  );
  return { ask, sending, failure, failed, dismiss: () => setFailure(undefined), open, answer };
}

async function send(workbenchId: string, question: Question, consent: Consent): Promise<void> {
  const common = { workbenchId, model: question.model, ...(consent !== undefined && { consent }) };
  if (question.kind === "regenerate") {
    const { turnRunId, discardEdits } = question;
    await client.call("workshop.regenerate", { ...common, turnRunId, discardEdits });
  } else if (question.kind === "message") {
    await client.call("workshop.sendUserMessage", { ...common, message: question.text });
  } else {
    await client.call("workshop.runAgent", { ...common, task: question.text });
  }
}
