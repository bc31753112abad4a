import type { Workbench } from "@benchtop/operations";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { X } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { activeRuns, waitingRuns, refreshWorkbench } from "../api/queries.ts";
import { IconButton } from "../components/button.tsx";
import { classes } from "../components/classes.ts";
import { ErrorNotice } from "../components/error-notice.tsx";
import { Screen } from "../components/screen.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useMedia } from "../components/use-media.ts";
import { Composer } from "../conversation/composer.tsx";
import { ConsentDialog } from "../conversation/consent-dialog.tsx";
import { Conversation } from "../conversation/conversation.tsx";
import type { TurnActions } from "../conversation/turn-view.tsx";
import { FilePane } from "../files/file-pane.tsx";
import { FilesPanel } from "../files/files-panel.tsx";
import { isCovered, isTyping } from "../frame/frame-keys.ts";
import { useDenied } from "../identity/identity.ts";
import { ReviewPane } from "../review/review-pane.tsx";
import type { WorkbenchSearch } from "../search.ts";
import { CheckpointsPane } from "./checkpoints-pane.tsx";
import { OutsideChanges } from "./outside-changes.tsx";
import { RestoreDialog } from "./restore-dialog.tsx";
import { StateChips } from "./state-chips.tsx";
import { Suggestions } from "./suggestions.tsx";
import { useAsk } from "./use-ask.ts";
import { useModelChoice } from "./use-model-choice.ts";
import { useReviewOpens } from "./use-review-opens.ts";
import { WorkbenchBar, WorkbenchTabs } from "./workbench-bar.tsx";

const route = getRouteApi("/workbenches/$workbenchId");

/** The signature screen: files, conversation, and Review of what is not real yet. */
export function Workshop(props: { readonly workbench: Workbench }) {
  const { workbench } = props;
  const { workbenchId, hasDraft } = workbench;
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const roomy = useMedia("(min-width: 900px)");
  const spacious = useMedia("(min-width: 1720px)");
  const choice = useModelChoice(workbenchId);
  const ask = useAsk(workbenchId);
  const text = useRef<HTMLTextAreaElement>(null);
  const [restoring, setRestoring] = useState<string>();
  const [pickerOpen, setPickerOpen] = useState(false);
  const [hintFailure, setHintFailure] = useState<Failure>();
  const mayNotAsk = useDenied("runs:write");
  const mayNotChange = useDenied("workbenches:write");

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
  const runningEntry = entries.findLast((entry) => entry.status === "pending" && entry.kind === "agent");
  const running = runningEntry !== undefined;
  const waiting = useQuery(waitingRuns).data?.some(({ runId }) => runId === runningEntry?.runId) ?? false;

  const started = useQuery(activeRuns).data?.find(
    (run) => run.workbenchId === workbenchId && !entries.some(({ runId }) => runId === run.runId),
  )?.runId;
  useEffect(() => {
    // Begun elsewhere, in another tab or a terminal.
    if (started !== undefined) void refreshWorkbench(workbenchId);
  }, [started, workbenchId]);

  const go = useCallback(
    (change: WorkbenchSearch, replace = false) =>
      void navigate({ search: (before) => ({ ...before, ...change }), replace }),
    [navigate],
  );
  const showPane = useCallback(
    (pane: NonNullable<WorkbenchSearch["pane"]>, path?: string) =>
      void navigate({
        search: ({ path: _path, full: _full, ...rest }) => ({ ...rest, pane, ...(path !== undefined && { path }) }),
      }),
    [navigate],
  );
  const openReview = useCallback((path?: string) => showPane("review", path), [showPane]);
  const closePane = useCallback(
    () => void navigate({ search: ({ pane: _pane, path: _path, full: _full, ...rest }) => rest }),
    [navigate],
  );
  useReviewOpens({
    workbench,
    pane: search.pane,
    wait: running && !roomy,
    elsewhere: search.pane !== undefined || search.tab !== undefined,
    open: () => go({ pane: "review" }, true),
    close: closePane,
  });
  useWorkshopKeys({
    write: () => text.current?.focus(),
    review: () => (search.pane === "review" ? closePane() : openReview()),
  });

  const restoreGate = hasDraft
    ? "Publish or discard the Draft first: restoring would change the files below it."
    : running
      ? "Wait until the run has ended, or stop it."
      : undefined;
  const { ask: send } = ask;
  const { model } = choice;
  const onProgress = useCallback(() => void refreshWorkbench(workbenchId), [workbenchId]);
  const actions = useMemo<TurnActions>(
    () => ({
      handlersOf: (task, entryModel) => ({
        ...(task !== null &&
          mayNotAsk === undefined && {
            retry: async () => void (await send(task, model ?? entryModel ?? "")),
            grant_consent: async () => void (await send(task, entryModel ?? model ?? "")),
          }),
        ...(mayNotAsk === undefined && { switch_model: () => setPickerOpen(true) }),
        review_draft: () => openReview(),
        restore_checkpoint: () => showPane("checkpoints"),
      }),
      onOpenChange: openReview,
      ...(mayNotChange === undefined && { onRestore: setRestoring }),
      restoreGate,
      onProgress,
    }),
    [send, model, openReview, showPane, restoreGate, onProgress, mayNotAsk, mayNotChange],
  );
  const sendGate = choice.model === undefined ? "Choose a model first." : undefined;

  const stop = async () => {
    if (runningEntry !== undefined) {
      await client.call("runs.abort", { runId: runningEntry.runId, reason: "Stopped in the console." });
    }
  };
  const hint = async (words: string): Promise<boolean> => {
    if (runningEntry === undefined) return false;
    setHintFailure(undefined);
    try {
      return (await client.call("runs.hint", { runId: runningEntry.runId, text: words })).accepted;
    } catch (thrown) {
      setHintFailure(failureOf(thrown));
      return false;
    }
  };

  const paneOpen = search.pane !== undefined;
  const paneAlone = paneOpen && (!roomy || search.full === true);
  const showFiles = roomy ? !paneAlone && (search.pane !== "review" || spacious) : search.tab === "files" && !paneOpen;
  const showConversation = roomy ? !paneAlone : !paneOpen && search.tab !== "files";

  return (
    <Screen
      title={workbench.name}
      scroll={false}
      bar={
        <WorkbenchBar
          workbench={workbench}
          choice={choice}
          onReview={() => openReview()}
          onCheckpoints={() => showPane("checkpoints")}
        />
      }
    >
      <OutsideChanges workbenchId={workbenchId} />
      {!roomy && (
        <div className="shrink-0 overflow-x-auto border-b border-line px-3 py-1.5">
          <StateChips workbench={workbench} model={choice.model} local={choice.local} onReview={() => openReview()} />
        </div>
      )}
      {!roomy && <WorkbenchTabs search={search} hasDraft={hasDraft} onGo={go} onClosePane={closePane} />}
      <div className="flex min-h-0 flex-1">
        {showFiles && (
          <div className={classes("flex min-h-0 flex-col", roomy ? "w-62 shrink-0 border-r border-line" : "flex-1")}>
            <FilesPanel
              workbench={workbench}
              selected={search.pane === "file" ? search.path : undefined}
              onOpen={(path, change) => showPane(change === undefined ? "file" : "review", path)}
              onReviewDraft={() => openReview()}
            />
          </div>
        )}
        {showConversation && (
          <div className={classes("flex min-h-0 min-w-0 flex-col", paneOpen ? "w-0 min-w-90 flex-2" : "flex-1")}>
            {conversation.isPending ? (
              <div className="flex-1">
                <SkeletonRows label="Loading the conversation" />
              </div>
            ) : (
              <Conversation
                entries={entries}
                actions={actions}
                hasFiles={workbench.fileCount > 0 || hasDraft}
                earlier={
                  conversation.hasNextPage
                    ? { load: () => void conversation.fetchNextPage(), busy: conversation.isFetchingNextPage }
                    : undefined
                }
                suggestions={
                  mayNotAsk === undefined && (
                    <Suggestions
                      hasFiles={workbench.fileCount > 0}
                      onChoose={(words) => {
                        const area = text.current;
                        if (area === null) return;
                        setNativeValue(area, words);
                        area.focus();
                      }}
                    />
                  )
                }
                {...(conversation.isError && {
                  top: (
                    <ErrorNotice
                      failure={failureOf(conversation.error)}
                      handlers={{ retry: async () => void (await conversation.refetch()) }}
                    />
                  ),
                })}
              />
            )}
            {mayNotAsk === undefined ? (
              <Composer
                textRef={text}
                draftKey={`benchtop.task.${workbenchId}`}
                model={choice.model}
                onModel={choice.choose}
                running={running}
                waiting={waiting}
                sending={ask.sending}
                gate={sendGate}
                onSend={(task) => (choice.model === undefined ? Promise.resolve(false) : ask.ask(task, choice.model))}
                onHint={hint}
                onStop={() => void stop()}
                modelPickerOpen={pickerOpen}
                onModelPickerOpen={setPickerOpen}
                notice={
                  <AskNotice
                    ask={ask}
                    hintFailure={hintFailure}
                    onSwitchModel={() => setPickerOpen(true)}
                    model={choice.model}
                  />
                }
              />
            ) : (
              <p className="border-t border-line px-4 py-3 text-center text-sm text-muted">{mayNotAsk}</p>
            )}
          </div>
        )}
        {paneOpen && (
          <div
            className={classes(
              "flex min-h-0 min-w-0 flex-col",
              !paneAlone && "w-0 flex-3 border-l border-line",
              paneAlone && "flex-1",
            )}
          >
            {search.pane === "review" && (
              <ReviewPane
                workbench={workbench}
                running={running}
                path={search.path}
                view={search.view}
                full={search.full === true}
                onPath={(path) => go({ path }, true)}
                onView={(view) => go({ view }, true)}
                onFull={(full) => go({ full })}
                onClose={closePane}
                onShowCheckpoints={() => showPane("checkpoints")}
              />
            )}
            {search.pane === "checkpoints" && (
              <CheckpointsPane
                workbenchId={workbenchId}
                restoreGate={restoreGate}
                mayChange={mayNotChange === undefined}
                onRestore={setRestoring}
                onClose={closePane}
              />
            )}
            {search.pane === "file" && search.path !== undefined && (
              <section aria-label="File" className="flex min-h-0 flex-1 flex-col">
                <header className="flex h-(--bar) shrink-0 items-center gap-2 border-b border-line pr-2 pl-3.5">
                  <h2 className="min-w-0 flex-1 truncate font-mono text-sm">{search.path}</h2>
                  <IconButton label="Close the file" size="small" onClick={closePane}>
                    <X size={14} aria-hidden />
                  </IconButton>
                </header>
                <FilePane
                  key={search.path}
                  workbenchId={workbenchId}
                  path={search.path}
                  side={hasDraft ? "draft" : "published"}
                />
              </section>
            )}
          </div>
        )}
      </div>
      {ask.question !== undefined && (
        <ConsentDialog
          workbenchId={workbenchId}
          status={ask.question.status}
          onChoose={(mode) => void ask.answer(mode)}
          onClose={() => void ask.answer("cancel")}
        />
      )}
      {restoring !== undefined && (
        <RestoreDialog
          workbenchId={workbenchId}
          checkpointId={restoring}
          onClose={() => setRestoring(undefined)}
          onReview={() => openReview()}
        />
      )}
    </Screen>
  );
}

function AskNotice(props: {
  readonly ask: ReturnType<typeof useAsk>;
  readonly hintFailure: Failure | undefined;
  readonly model: string | undefined;
  readonly onSwitchModel: () => void;
}) {
  const { failure, failedTask, ask, dismiss } = props.ask;
  const shown = failure ?? props.hintFailure;
  if (shown === undefined) return null;
  return (
    <div className="mb-2">
      <ErrorNotice
        failure={shown}
        handlers={{
          ...(failedTask !== undefined && {
            retry: async () => void (await ask(failedTask.task, props.model ?? failedTask.model)),
            grant_consent: async () => void (await ask(failedTask.task, failedTask.model)),
          }),
          switch_model: () => {
            dismiss();
            props.onSwitchModel();
          },
        }}
      />
    </div>
  );
}

/** Puts text into a field as if it had been typed, so that its owner hears of it. */
function setNativeValue(area: HTMLTextAreaElement, value: string): void {
  Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value")?.set?.call(area, value);
  area.dispatchEvent(new Event("input", { bubbles: true }));
}

function useWorkshopKeys(keys: { readonly write: () => void; readonly review: () => void }): void {
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || isCovered()) return;
      if (event.key !== "/" && event.key !== "r") return;
      event.preventDefault();
      if (event.key === "/") latest.current.write();
      else latest.current.review();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}
