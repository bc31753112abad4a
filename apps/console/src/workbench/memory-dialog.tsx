import type { KeptMemory, Workbench } from "@benchtop/operations";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { useState } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { refreshWorkbench } from "../api/queries.ts";
import { Button, IconButton } from "../components/button.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { RelativeTime } from "../components/relative-time.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useMay } from "../identity/identity.ts";

/** What the agents of a workbench remember: turned on or off, read, and forgotten. */
export function MemoryDialog(props: { readonly workbench: Workbench; readonly onClose: () => void }) {
  const { workbenchId, memory: enabled } = props.workbench;
  const [failure, setFailure] = useState<Failure>();
  const [isSure, setIsSure] = useState(false);
  const mayChange = useMay("workbenches:write");
  const memories = useInfiniteQuery({
    queryKey: ["memory.list", { workbenchId }],
    queryFn: ({ pageParam }) =>
      client.call("memory.list", { workbenchId, limit: 100, ...(pageParam !== null && { cursor: pageParam }) }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor,
  });
  const items = memories.data?.pages.flatMap((page) => page.items) ?? [];
  const change = async (work: () => Promise<unknown>) => {
    try {
      setFailure(undefined);
      await work();
      await refreshWorkbench(workbenchId);
      await memories.refetch();
    } catch (thrown) {
      setFailure(failureOf(thrown));
    }
  };
  const clear = () => {
    if (!isSure) return setIsSure(true);
    setIsSure(false);
    void change(() => client.call("memory.clear", { workbenchId }));
  };
  return (
    <Dialog
      open
      onClose={props.onClose}
      wide
      title={enabled ? "Its agents remember" : "Its agents remember nothing new"}
      description="Agents may keep what later runs on this workbench should know. It stays with this workbench, you can delete it, and a model elsewhere is shown it only if you agree to files and memory together. Runs that were shown it keep it in their journals."
      footer={
        <>
          {mayChange && items.length > 0 && (
            <Button tone="danger" onClick={clear} className="sm:mr-auto">
              {isSure ? "Forget everything for good" : "Forget everything…"}
            </Button>
          )}
          {mayChange && (
            <Button onClick={() => void change(() => client.call("memory.set", { workbenchId, enabled: !enabled }))}>
              {enabled ? "Turn memory off" : "Turn memory on"}
            </Button>
          )}
          <Button tone="primary" onClick={props.onClose}>
            Close
          </Button>
        </>
      }
    >
      {failure && <ErrorNotice failure={failure} />}
      {memories.isPending && <SkeletonRows label="Loading what is remembered" count={3} />}
      {memories.isError && (
        <ErrorNotice
          failure={failureOf(memories.error)}
          handlers={{ retry: async () => void (await memories.refetch()) }}
        />
      )}
      {memories.isSuccess && items.length === 0 && <p className="text-muted">Nothing is remembered.</p>}
      {items.length > 0 && (
        <ul
          aria-label="What is remembered, newest first"
          tabIndex={0}
          className="max-h-80 overflow-y-auto rounded-lg border border-line text-sm"
        >
          {items.map((memory) => (
            <MemoryRow
              key={memory.id}
              memory={memory}
              {...(mayChange && {
                onForget: () => void change(() => client.call("memory.forget", { workbenchId, memoryId: memory.id })),
              })}
            />
          ))}
        </ul>
      )}
      {memories.hasNextPage && (
        <Button size="small" tone="quiet" className="mt-2" onClick={() => void memories.fetchNextPage()}>
          Show more
        </Button>
      )}
    </Dialog>
  );
}

function MemoryRow(props: { readonly memory: KeptMemory; readonly onForget?: () => void }) {
  const { key, text, writtenAt } = props.memory;
  return (
    <li className="flex items-start gap-3 border-b border-line px-3 py-1.5 last:border-b-0">
      <p className="min-w-0 flex-1 break-words whitespace-pre-wrap">
        {key !== null && <span className="font-medium">{key}: </span>}
        {text}
      </p>
      <RelativeTime at={writtenAt} className="shrink-0 text-faint" />
      {props.onForget !== undefined && (
        <IconButton label={`Forget “${text.slice(0, 40)}”`} onClick={props.onForget}>
          <Trash2 size={13} aria-hidden />
        </IconButton>
      )}
    </li>
  );
}
