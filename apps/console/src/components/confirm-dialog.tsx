import { useState, type ReactNode } from "react";
import { failureOf, type Failure } from "../api/client.ts";
import { Button } from "./button.tsx";
import { Dialog } from "./dialog.tsx";
import { ErrorNotice } from "./error-notice.tsx";

/** Asks once before something is lost, and says what. Stays open with the reason when it fails. */
export function ConfirmDialog(props: {
  readonly title: string;
  readonly description: ReactNode;
  readonly action: string;
  readonly keep?: string;
  readonly onClose: () => void;
  readonly onConfirm: () => Promise<void>;
  readonly children?: ReactNode;
}) {
  const [failure, setFailure] = useState<Failure>();
  const [busy, setBusy] = useState(false);
  const confirm = async () => {
    setBusy(true);
    setFailure(undefined);
    try {
      await props.onConfirm();
    } catch (thrown) {
      setFailure(failureOf(thrown));
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={props.title}
      description={props.description}
      footer={
        <>
          <Button onClick={props.onClose}>{props.keep ?? "Cancel"}</Button>
          <Button tone="danger" busy={busy} onClick={() => void confirm()}>
            {props.action}
          </Button>
        </>
      }
    >
      {props.children}
      {failure !== undefined && <ErrorNotice failure={failure} handlers={{ retry: confirm }} />}
    </Dialog>
  );
}
