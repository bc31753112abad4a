/** What a resource address of ours names. */
export type Named =
  | { readonly kind: "workbench"; readonly workbenchId: string }
  | { readonly kind: "file"; readonly workbenchId: string; readonly side: "published" | "draft"; readonly path: string }
  | { readonly kind: "review"; readonly workbenchId: string }
  | { readonly kind: "run"; readonly runId: string };

export const templates = {
  workbench: "benchtop://workbenches/{workbench}",
  file: "benchtop://workbenches/{workbench}/files/{+path}",
  draftFile: "benchtop://workbenches/{workbench}/draft/files/{+path}",
  review: "benchtop://workbenches/{workbench}/draft",
  run: "benchtop://runs/{run}",
} as const;

export function uriOf(named: Named): string {
  if (named.kind === "run") return `benchtop://runs/${encodeURIComponent(named.runId)}`;
  const bench = `benchtop://workbenches/${encodeURIComponent(named.workbenchId)}`;
  if (named.kind === "workbench") return bench;
  if (named.kind === "review") return `${bench}/draft`;
  const path = named.path.split("/").map(encodeURIComponent).join("/");
  return `${bench}/${named.side === "draft" ? "draft/files" : "files"}/${path}`;
}

/** Undefined for an address that is none of ours. What it names need not be there. */
export function parseUri(uri: string): Named | undefined {
  if (uri.length > 20_000) return undefined;
  const file = /^benchtop:\/\/workbenches\/([^/?#]+)\/(draft\/)?files\/([^?#]+)$/.exec(uri);
  const [, bench, draft, path] = file ?? [];
  if (bench !== undefined && path !== undefined) {
    const [workbenchId, decoded] = [decode(bench), decode(path)];
    if (workbenchId === undefined || decoded === undefined) return undefined;
    return { kind: "file", workbenchId, side: draft === undefined ? "published" : "draft", path: decoded };
  }
  const [, name, review] = /^benchtop:\/\/workbenches\/([^/?#]+)(\/draft)?$/.exec(uri) ?? [];
  const workbenchId = decode(name);
  if (workbenchId !== undefined) return { kind: review === undefined ? "workbench" : "review", workbenchId };
  const runId = decode(/^benchtop:\/\/runs\/([^/?#]+)$/.exec(uri)?.[1]);
  return runId === undefined ? undefined : { kind: "run", runId };
}

function decode(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    // A broken percent escape names nothing.
    return undefined;
  }
}
