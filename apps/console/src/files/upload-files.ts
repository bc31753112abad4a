import { useCallback, useRef, useState } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { refreshWorkbench } from "../api/queries.ts";
import { uploadBlob } from "../api/upload.ts";
import type { PickedFile } from "./collect.ts";

export interface UploadProgress {
  readonly filesDone: number;
  readonly files: number;
  readonly bytesDone: number;
  readonly bytes: number;
  /** All bytes are there; the workbench takes the files in. */
  readonly adding: boolean;
}

export interface Uploads {
  readonly progress: UploadProgress | undefined;
  readonly failure: Failure | undefined;
  readonly start: (files: readonly PickedFile[], replace: boolean) => Promise<void>;
  readonly retry: () => Promise<void>;
  readonly cancel: () => void;
  readonly dismiss: () => void;
}

const parallel = 3;

/** Sends files as blobs, a few at a time, then adds them all in one step: all or none. */
export function useUploads(workbenchId: string): Uploads {
  const [progress, setProgress] = useState<UploadProgress>();
  const [failure, setFailure] = useState<Failure>();
  const controller = useRef<AbortController>(undefined);
  const last = useRef<{ files: readonly PickedFile[]; replace: boolean }>(undefined);

  const start = useCallback(
    async (files: readonly PickedFile[], replace: boolean) => {
      if (files.length === 0) return;
      last.current = { files, replace };
      const abort = new AbortController();
      controller.current = abort;
      setFailure(undefined);
      const sent = new Map<PickedFile, number>();
      const bytes = files.reduce((sum, { file }) => sum + file.size, 0);
      let filesDone = 0;
      const report = (adding = false) => {
        const bytesDone = Math.min(
          bytes,
          [...sent.values()].reduce((sum, each) => sum + each, 0),
        );
        setProgress({ filesDone, files: files.length, bytesDone, bytes, adding });
      };
      report();
      try {
        const uploads: { path: string; sha256: string }[] = [];
        const waiting = [...files];
        const worker = async () => {
          for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
            const picked = next;
            const blob = await uploadBlob(
              picked.file,
              (count) => {
                sent.set(picked, count);
                report();
              },
              abort.signal,
            );
            sent.set(picked, picked.file.size);
            filesDone++;
            report();
            uploads.push({ path: picked.path, sha256: blob.sha256 });
          }
        };
        await Promise.all(Array.from({ length: parallel }, worker));
        report(true);
        await client.call("files.add", { workbenchId, uploads, replace });
        await refreshWorkbench(workbenchId);
      } catch (thrown) {
        const failed = failureOf(thrown);
        if (!abort.signal.aborted) setFailure(failed);
        abort.abort();
      } finally {
        setProgress(undefined);
      }
    },
    [workbenchId],
  );
  return {
    progress,
    failure,
    start,
    retry: async () => {
      if (last.current !== undefined) await start(last.current.files, last.current.replace);
    },
    cancel: () => controller.current?.abort(),
    dismiss: () => setFailure(undefined),
  };
}
