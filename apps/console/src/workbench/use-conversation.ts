import type { ConversationEntry } from "@benchtop/operations";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { activeRuns, refreshWorkbench, waitingRuns } from "../api/queries.ts";
import { isTurn } from "../conversation/entry.ts";

export interface OpenConversation {
  /** Oldest first. */
  readonly entries: readonly ConversationEntry[];
  readonly loading: boolean;
  readonly failure: Failure | undefined;
  readonly retry: () => Promise<void>;
  readonly earlier: { readonly load: () => void; readonly busy: boolean } | undefined;
  /** The turn that goes on now. */
  readonly running: ConversationEntry | undefined;
  /** It waits for a person's decision. */
  readonly waiting: boolean;
}

/** The saved conversation of a workbench, page by page from its end, with what goes on in it. */
export function useConversation(workbenchId: string): OpenConversation {
  const conversation = useInfiniteQuery({
    queryKey: ["workshop.conversation", { workbenchId }],
    queryFn: ({ pageParam }) =>
      client.call("workshop.conversation", {
        workbenchId,
        limit: 20,
        ...(pageParam !== null && { cursor: pageParam }),
      }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor,
  });
  const entries = useMemo(
    () => conversation.data?.pages.flatMap((page) => page.items).toReversed() ?? [],
    [conversation.data],
  );
  const running = entries.findLast((entry) => entry.status === "pending" && isTurn(entry));
  const waiting = useQuery(waitingRuns).data?.some(({ runId }) => runId === running?.runId) ?? false;

  const started = useQuery(activeRuns).data?.find(
    (run) => run.workbenchId === workbenchId && !entries.some(({ runId }) => runId === run.runId),
  )?.runId;
  useEffect(() => {
    // Begun elsewhere, in another tab or a terminal.
    if (started !== undefined) void refreshWorkbench(workbenchId);
  }, [started, workbenchId]);

  return {
    entries,
    loading: conversation.isPending,
    failure: conversation.isError ? failureOf(conversation.error) : undefined,
    retry: async () => void (await conversation.refetch()),
    earlier: conversation.hasNextPage
      ? { load: () => void conversation.fetchNextPage(), busy: conversation.isFetchingNextPage }
      : undefined,
    running,
    waiting,
  };
}
