import { client } from "../api/client.ts";

/** Hands a report to the browser as a file. */
export async function saveReport(runId: string, name: string, format: "html" | "json"): Promise<void> {
  const file = await client.downloadReport({ runId, format });
  const url = URL.createObjectURL(new Blob([await file.arrayBuffer()], { type: file.mediaType }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${name.replaceAll(/[^\p{L}\p{N}]+/gu, "-").toLowerCase()}-${runId.slice(-6)}.${format}`;
  link.click();
  // The browser has taken the file by then; until it has, the address must stay.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
