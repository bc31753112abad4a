import { operations } from "@benchtop/operations";
import { BenchtopError, errorInfoSchema } from "@benchtop/protocol";
import { reportUnauthorized } from "./client.ts";

/**
 * Sends one file as a blob, saying how many of its bytes have gone. `XMLHttpRequest`, because `fetch` cannot report
 * the progress of an upload.
 */
export function uploadBlob(
  file: Blob,
  onProgress: (sentBytes: number) => void,
  signal: AbortSignal,
): Promise<{ sha256: string; bytes: number }> {
  const { method, path } = operations["files.upload"];
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, path);
    request.responseType = "json";
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => onProgress(event.loaded));
    request.addEventListener("load", () => {
      const answer: unknown = request.response;
      if (request.status === 401) reportUnauthorized();
      if (request.status < 300) resolve(operations["files.upload"].output.parse(answer));
      else reject(errorOf(answer, request.status));
    });
    request.addEventListener("error", () =>
      reject(new BenchtopError("NETWORK_UNAVAILABLE", "The daemon stopped answering during the upload.")),
    );
    request.addEventListener("abort", () => reject(new BenchtopError("USER_CANCELED", "The upload was canceled.")));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(file);
  });
}

/** The error that an answer of the daemon tells of, with all its facts. */
export function errorOf(answer: unknown, status: number): BenchtopError {
  const body = typeof answer === "object" && answer !== null && "error" in answer ? answer.error : undefined;
  const info = errorInfoSchema.safeParse(body);
  if (!info.success) return new BenchtopError("NETWORK_UNAVAILABLE", `The daemon answered with status ${status}.`);
  const message = (body as { message?: unknown }).message;
  return BenchtopError.of({
    ...info.data,
    message: typeof message === "string" ? message : "The daemon gave no reason.",
  });
}
