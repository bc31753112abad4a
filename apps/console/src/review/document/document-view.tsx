import type { DocumentDiff } from "@benchtop/operations";
import type { Ref } from "react";
import { BytesView } from "./bytes-view.tsx";
import { ImageView } from "./image-view.tsx";
import { PageView } from "./page-view.tsx";
import { SheetView } from "./sheet-view.tsx";
import { SlideView } from "./slide-view.tsx";
import type { ChangeHandle } from "./steps.ts";
import { TextDocumentView } from "./text-document.tsx";

/** One file's differences as what it is. */
export function DocumentView(props: {
  readonly workbenchId: string;
  readonly diff: DocumentDiff;
  readonly view: "split" | "inline";
  readonly handle: Ref<ChangeHandle>;
  readonly busy: boolean;
  /** Asks for other bytes. */
  readonly onOffset: (offset: number) => void;
}) {
  const { workbenchId, diff, view, handle } = props;
  const version = `${diff.sha256Before?.slice(0, 12) ?? ""}-${diff.sha256After?.slice(0, 12) ?? ""}`;
  switch (diff.kind) {
    case "document":
      return <TextDocumentView diff={diff} view={view} handle={handle} />;
    case "sheets":
      return <SheetView diff={diff} handle={handle} />;
    case "slides":
      return <SlideView diff={diff} view={view} handle={handle} />;
    case "pages":
      return <PageView diff={diff} workbenchId={workbenchId} version={version} handle={handle} />;
    case "image":
      return <ImageView diff={diff} workbenchId={workbenchId} version={version} />;
    default:
      return <BytesView diff={diff} handle={handle} busy={props.busy} onOffset={props.onOffset} />;
  }
}
