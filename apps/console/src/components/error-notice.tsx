import { useNavigate } from "@tanstack/react-router";
import { useContext, useState } from "react";
import { client } from "../api/client.ts";
import { queryClient } from "../api/queries.ts";
import { handlersFor, WorkbenchPlaceContext } from "./error-actions.ts";
import { FailureBox, type NoticeProps } from "./failure-box.tsx";
import { ReportDialog } from "./report-dialog.tsx";

export type { ErrorHandlers } from "./error-actions.ts";

/**
 * A failure next to its cause, in words, with the actions of its code as buttons. Each works from here: the surface says what it
 * knows best, the workbench on the screen does the rest, and elsewhere the error's own facts lead there.
 */
export function ErrorNotice(props: NoticeProps) {
  const { failure } = props;
  const navigate = useNavigate();
  const workbench = useContext(WorkbenchPlaceContext);
  const [report, setReport] = useState<string>();
  const handlers = handlersFor(
    failure,
    {
      workbench,
      openSettings: (section) => void navigate({ to: "/settings", search: section === undefined ? {} : { section } }),
      openRun: (runId) => void navigate({ to: "/runs/$runId", params: { runId } }),
      openReport: setReport,
      openWorkbench: (workbenchId, pane) =>
        void navigate({
          to: "/workbenches/$workbenchId",
          params: { workbenchId },
          search: pane === undefined ? { tab: "conversation" } : { pane },
        }),
      resume: async (runId) => {
        await client.call("runs.resume", { runId });
        await queryClient.invalidateQueries({ queryKey: ["runs.list"] });
        void navigate({ to: "/runs/$runId", params: { runId } });
      },
    },
    props.handlers,
  );
  return (
    <>
      <FailureBox {...props} handlers={handlers} onReport={setReport} />
      {report !== undefined && <ReportDialog failureId={report} onClose={() => setReport(undefined)} />}
    </>
  );
}
