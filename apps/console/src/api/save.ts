import { operations } from "@benchtop/operations";
import { watchedFetch } from "./client.ts";
import { errorOf } from "./upload.ts";

/** Hands bytes to the browser as a file. */
export function saveBlob(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser has taken the file by then; until it has, the address must stay.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** The conversation of a workbench as a file: JSON Lines, oldest first. */
export async function saveConversation(workbenchId: string, name: string): Promise<void> {
  const path = operations["workshop.exportConversation"].path.replace("{workbenchId}", encodeURIComponent(workbenchId));
  const response = await watchedFetch(path);
  if (!response.ok) throw errorOf(await response.json().catch(() => undefined), response.status);
  saveBlob(await response.blob(), `${fileName(name)}-conversation.jsonl`);
}

function fileName(name: string): string {
  const plain = name
    .replaceAll(/[^\p{L}\p{N}]+/gu, "-")
    .replaceAll(/^-|-$/g, "")
    .toLowerCase();
  return plain === "" ? "workbench" : plain;
}
