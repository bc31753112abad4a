import { useRef, useState } from "react";
import { client, failureOf, type Failure } from "../../api/client.ts";
import { uploadBlob } from "../../api/upload.ts";
import { refreshReview } from "../decisions.ts";

/** How far the upload is that takes a file's place. */
export interface Replacing {
  readonly name: string;
  readonly sent: number;
  readonly bytes: number;
}

/** Puts a file of the person's machine in the place of one of the Draft. */
export function useReplace(workbenchId: string, path: string, sha256: string | null) {
  const [progress, setProgress] = useState<Replacing>();
  const [failure, setFailure] = useState<Failure>();
  const controller = useRef<AbortController>(undefined);
  const last = useRef<File>(undefined);
  const start = async (file: File): Promise<void> => {
    last.current = file;
    const abort = new AbortController();
    controller.current = abort;
    setFailure(undefined);
    setProgress({ name: file.name, sent: 0, bytes: file.size });
    try {
      const blob = await uploadBlob(
        file,
        (sent) => setProgress({ name: file.name, sent: Math.min(sent, file.size), bytes: file.size }),
        abort.signal,
      );
      await client.call("draft.edit", { workbenchId, path, upload: blob.sha256, sha256 });
      await refreshReview(workbenchId);
    } catch (thrown) {
      if (abort.signal.aborted) return;
      setFailure(failureOf(thrown));
      await refreshReview(workbenchId);
    } finally {
      setProgress(undefined);
    }
  };
  return {
    progress,
    failure,
    start,
    retry: async () => {
      if (last.current !== undefined) await start(last.current);
    },
    cancel: () => controller.current?.abort(),
    dismiss: () => setFailure(undefined),
  };
}
