import { useQuery } from "@tanstack/react-query";
import { Download, FileQuestion, Pencil } from "lucide-react";
import { useState } from "react";
import { client, failureOf } from "../api/client.ts";
import { allFiles } from "../api/queries.ts";
import { CodeView } from "../code/code-view.tsx";
import { Button } from "../components/button.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { formatBytes } from "../components/format.ts";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useMay } from "../identity/identity.ts";
import { EditFile, longestEdited } from "../review/edit/edit-file.tsx";

/** Above this size a file is offered for download instead of being shown. */
const longestShown = 5_000_000;

/** One file's content, from the Draft where there is one. Text can be edited: what is saved goes into the Draft. */
export function FilePane(props: {
  readonly workbenchId: string;
  readonly path: string;
  readonly side: "published" | "draft";
}) {
  const { workbenchId, path, side } = props;
  const [editing, setEditing] = useState(false);
  const mayChange = useMay("workbenches:write");
  const listed = useQuery(allFiles(workbenchId, side)).data?.find((file) => file.path === path);
  const content = useQuery({
    queryKey: ["files.read", { workbenchId, path, side }],
    queryFn: async () => {
      const file = await client.download({ workbenchId, path, side });
      const bytes = await file.arrayBuffer();
      return { size: bytes.byteLength, text: bytes.byteLength > longestShown ? undefined : decode(bytes) };
    },
  });
  if (editing && listed !== undefined) {
    return (
      <EditFile
        workbenchId={workbenchId}
        path={path}
        side={side}
        sha256={listed.sha256}
        onClose={() => {
          setEditing(false);
          void content.refetch();
        }}
      />
    );
  }
  if (content.isPending) return <SkeletonRows count={12} label={`Loading ${path}`} />;
  if (content.isError) {
    return (
      <div className="p-3">
        <ErrorNotice
          failure={failureOf(content.error)}
          handlers={{ retry: async () => void (await content.refetch()) }}
        />
      </div>
    );
  }
  if (content.data.text === undefined) {
    const address = `/api/v1/workbenches/${encodeURIComponent(workbenchId)}/files/content?${new URLSearchParams({ path, side }).toString()}`;
    return (
      <EmptyState
        icon={<FileQuestion size={18} aria-hidden />}
        title={content.data.size > longestShown ? "Too large to show here" : "Not a text file"}
        action={
          <a
            href={address}
            download={path.slice(path.lastIndexOf("/") + 1)}
            className="inline-flex h-8 items-center gap-1.5 rounded-md border border-line-strong bg-raised px-3 font-medium shadow-raised hover:bg-hover"
          >
            <Download size={14} aria-hidden /> Download {formatBytes(content.data.size)}
          </a>
        }
      >
        It is kept and carried with the workbench as it is.
      </EmptyState>
    );
  }
  return (
    <>
      {mayChange && listed !== undefined && (
        <div className="flex shrink-0 items-center justify-end border-b border-line px-3 py-1">
          <Button
            size="small"
            tone="quiet"
            icon={<Pencil size={13} aria-hidden />}
            disabledReason={content.data.size > longestEdited ? "This file is too long to edit here." : undefined}
            onClick={() => setEditing(true)}
          >
            Edit
          </Button>
        </div>
      )}
      {content.data.size === 0 ? (
        <p className="p-6 text-center text-muted">This file is empty.</p>
      ) : (
        <CodeView text={content.data.text} path={path} />
      )}
    </>
  );
}

/** The text of UTF-8 bytes, or undefined when they are something else. */
function decode(bytes: ArrayBuffer): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return text.includes("\0") ? undefined : text;
  } catch (notText) {
    if (notText instanceof TypeError) return undefined;
    throw notText;
  }
}
