import type { ConversationEntry, Workbench } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { X } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { query, refreshWorkbench } from "../api/queries.ts";
import { IconButton } from "../components/button.tsx";
import { classes } from "../components/classes.ts";
import { WorkbenchPlaceContext, type WorkbenchPlace } from "../components/error-actions.ts";
import { ErrorNotice } from "../components/error-notice.tsx";
import { Screen } from "../components/screen.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useMedia } from "../components/use-media.ts";
import { Composer } from "../conversation/composer.tsx";
import { ConsentDialog } from "../conversation/consent-dialog.tsx";
import { ContextMeter } from "../conversation/context-meter.tsx";
import { Conversation } from "../conversation/conversation.tsx";
import { isTurn } from "../conversation/entry.ts";
import { RegenerateDialog, UndoDialog } from "../conversation/take-back-dialogs.tsx";
import type { TurnActions } from "../conversation/turn-view.tsx";
import { useContextUse } from "../conversation/use-context.ts";
import { useAskMode } from "../conversation/use-mode.ts";
import { FilePane } from "../files/file-pane.tsx";
import { FilesPanel } from "../files/files-panel.tsx";
import { WriteBackOffer } from "../files/write-back-offer.tsx";
import { isCovered, isTyping } from "../frame/frame-keys.ts";
import { useDenied, useMay } from "../identity/identity.ts";
import { ReviewPane } from "../review/review-pane.tsx";
import type { WorkbenchSearch } from "../search.ts";
import { AskNotice } from "./ask-notice.tsx";
import { CheckpointsPane } from "./checkpoints-pane.tsx";
import { ContextItemsDialog } from "./context-items-dialog.tsx";
import { DraftDiscard } from "./draft-discard.tsx";
import { OutsideChanges } from "./outside-changes.tsx";
import { RestoreDialog } from "./restore-dialog.tsx";
import { StaleDraft, untouchedFor } from "./stale-draft.tsx";
import { StateChips } from "./state-chips.tsx";
import { Suggestions } from "./suggestions.tsx";
import { useAsk } from "./use-ask.ts";
import { useConsent } from "./use-consent.ts";
import { useConversation } from "./use-conversation.ts";
import { useModelChoice } from "./use-model-choice.ts";
import { useReviewOpens } from "./use-review-opens.ts";
import { WorkbenchBar, WorkbenchTabs } from "./workbench-bar.tsx";

const route = getRouteApi("/workbenches/$workbenchId");

/** A window over the workbench. */
type OpenDialog =
  | { readonly kind: "restore"; readonly checkpointId: string }
  | { readonly kind: "discard" }
  | { readonly kind: "context-items" }
  | { readonly kind: "undo"; readonly entry: ConversationEntry }
  | { readonly kind: "regenerate"; readonly entry: ConversationEntry; readonly choosing: boolean };

/** The signature screen: files, conversation, and Review of what is not real yet. */
export function Workshop(props: { readonly workbench: Workbench }) {
  const { workbench } = props;
  const { workbenchId, hasDraft } = workbench;
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const roomy = useMedia("(min-width: 900px)");
  const spacious = useMedia("(min-width: 1720px)");
  const conversation = useConversation(workbenchId);
  const { entries, waiting } = conversation;
  const running = conversation.running !== undefined;
  const choice = useModelChoice(workbenchId, entries);
  const [mode, setMode] = useAskMode(workbenchId);
  const ask = useAsk(workbenchId);
  const consent = useConsent(workbenchId);
  const draft = useQuery({ ...query("draft.getState", { workbenchId }), enabled: hasDraft }).data;
  const items = useQuery(query("contextItems.list", { workbenchId })).data?.items ?? [];
  const text = useRef<HTMLTextAreaElement>(null);
  const [dialog, setDialog] = useState<OpenDialog>();
  const closeDialog = () => setDialog(undefined);
  const [pickerOpen, setPickerOpen] = useState(false);
  const [hintFailure, setHintFailure] = useState<Failure>();
  const mayNotAsk = useDenied("runs:write");
  const mayNotChange = useDenied("workbenches:write");
  const mayConsent = useMay("egress:write");
  const mayAsk = mayNotAsk === undefined;
  const mayChange = mayNotChange === undefined;

  const go = useCallback(
    (change: WorkbenchSearch, replace = false) =>
      void navigate({ search: (before) => ({ ...before, ...change }), replace }),
    [navigate],
  );
  const showPane = useCallback(
    (pane: NonNullable<WorkbenchSearch["pane"]>, path?: string) =>
      void navigate({
        search: ({ path: _path, full: _full, checkpoint: _checkpoint, ...rest }) => ({
          ...rest,
          pane,
          ...(path !== undefined && { path }),
        }),
      }),
    [navigate],
  );
  const openReview = useCallback((path?: string) => showPane("review", path), [showPane]);
  const closePane = useCallback(
    () =>
      void navigate({
        search: ({ pane: _pane, path: _path, full: _full, checkpoint: _checkpoint, ...rest }) => rest,
      }),
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
  const turnGate = running ? "Wait until the run has ended, or stop it." : undefined;
  const newestTurn = entries.findLast(isTurn)?.runId;
  const { ask: send } = ask;
  const { model } = choice;
  const { grant } = consent;
  const onProgress = useCallback(() => void refreshWorkbench(workbenchId), [workbenchId]);
  const regenerate = useCallback(
    (entry: ConversationEntry, other: string | undefined) =>
      send({
        kind: "regenerate",
        text: entry.task ?? "",
        turnRunId: entry.runId,
        model: other ?? model ?? entry.model ?? "",
        discardEdits: false,
      }),
    [send, model],
  );
  const place = useMemo<WorkbenchPlace>(
    () => ({
      workbenchId,
      retry: () => refreshWorkbench(workbenchId),
      ...(mayAsk && { switchModel: () => setPickerOpen(true) }),
      ...(mayConsent && { grantConsent: grant }),
      reviewDraft: () => openReview(),
      ...(mayChange && {
        discardDraft: () => setDialog({ kind: "discard" }),
        restoreCheckpoint: (checkpointId: string) => setDialog({ kind: "restore", checkpointId }),
      }),
      showCheckpoints: () => showPane("checkpoints"),
    }),
    [workbenchId, grant, openReview, showPane, mayAsk, mayChange, mayConsent],
  );
  const actions = useMemo<TurnActions>(
    () => ({
      handlersOf: (entry, turn) => {
        if (!mayAsk || !isTurn(entry) || entry.task === null) return {};
        const again = async (other: string | undefined) => {
          // Nothing came of it: asked again in its place. Otherwise what it changed stays, and the question is asked anew.
          if (entry.runId === newestTurn && turn.changes.size === 0) await regenerate(entry, other);
          else {
            const kind = entry.kind === "message" ? "message" : "agent";
            await send({ kind, text: entry.task ?? "", model: other ?? entry.model ?? "" });
          }
        };
        return { retry: () => again(model), grant_consent: () => again(entry.model ?? undefined) };
      },
      onOpenChange: openReview,
      onReview: () => openReview(),
      onShowCheckpoint: (checkpoint) => {
        go({ pane: "checkpoints", checkpoint });
      },
      ...(mayChange && { onRestore: (checkpointId: string) => setDialog({ kind: "restore", checkpointId }) }),
      restoreGate,
      ...(mayAsk && {
        onRegenerate: (entry: ConversationEntry, choosing: boolean) => {
          const changed = entry.events.some(({ type }) => type === "DraftChanged");
          if (choosing || changed) setDialog({ kind: "regenerate", entry, choosing });
          else void regenerate(entry, undefined);
        },
        onUndo: (entry: ConversationEntry) => setDialog({ kind: "undo", entry }),
      }),
      turnGate,
      newestTurn,
      onProgress,
    }),
    [send, regenerate, model, openReview, go, restoreGate, turnGate, newestTurn, onProgress, mayAsk, mayChange],
  );
  const sendGate = choice.model === undefined ? "Choose a model first." : undefined;
  const newest = entries.at(-1);
  const context = useContextUse({
    workbenchId,
    model: choice.model,
    kind: mode,
    stamp: [
      workbench.manifestHash,
      draft?.revision,
      newest?.runId,
      newest?.status,
      workbench.memory,
      ...items.map(({ itemId, updatedAt }) => `${itemId} ${updatedAt}`),
    ].join(" "),
  });

  const stop = async () => {
    const { running: entry } = conversation;
    if (entry !== undefined) {
      await client.call("runs.abort", { runId: entry.runId, reason: "Stopped in the console." });
    }
  };
  const hint = async (words: string): Promise<boolean> => {
    const { running: entry } = conversation;
    if (entry === undefined) return false;
    setHintFailure(undefined);
    try {
      return (await client.call("runs.hint", { runId: entry.runId, text: words })).accepted;
    } catch (thrown) {
      setHintFailure(failureOf(thrown));
      return false;
    }
  };

  const write = (words: string) => {
    const area = text.current;
    if (area === null) return;
    setNativeValue(area, words);
    area.focus();
  };

  const untouched = draft?.stale === true ? untouchedFor(draft) : undefined;
  const chips = (
    <StateChips
      workbench={workbench}
      model={choice.model}
      local={choice.local}
      contextItems={items.length}
      untouched={untouched}
      onReview={() => openReview()}
    />
  );
  const paneOpen = search.pane !== undefined;
  const paneAlone = paneOpen && (!roomy || search.full === true);
  const showFiles = roomy ? !paneAlone && (search.pane !== "review" || spacious) : search.tab === "files" && !paneOpen;
  const showConversation = roomy ? !paneAlone : !paneOpen && search.tab !== "files";

  return (
    <WorkbenchPlaceContext value={place}>
      <Screen
        title={workbench.name}
        scroll={false}
        bar={
          <WorkbenchBar
            workbench={workbench}
            chips={chips}
            onCheckpoints={() => showPane("checkpoints")}
            onContextItems={() => setDialog({ kind: "context-items" })}
          />
        }
      >
        <OutsideChanges workbenchId={workbenchId} />
        <WriteBackOffer workbench={workbench} />
        {hasDraft && draft?.stale === true && (
          <StaleDraft
            draft={draft}
            onReview={() => openReview()}
            {...(mayChange && { onDiscard: () => setDialog({ kind: "discard" }) })}
          />
        )}
        {!roomy && <div className="shrink-0 overflow-x-auto border-b border-line px-3 py-1.5">{chips}</div>}
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
              {conversation.loading ? (
                <div className="flex-1">
                  <SkeletonRows label="Loading the conversation" />
                </div>
              ) : (
                <Conversation
                  entries={entries}
                  actions={actions}
                  hasFiles={workbench.fileCount > 0 || hasDraft}
                  earlier={conversation.earlier}
                  suggestions={mayAsk && <Suggestions hasFiles={workbench.fileCount > 0} onChoose={write} />}
                  {...(conversation.failure !== undefined && {
                    top: <ErrorNotice failure={conversation.failure} handlers={{ retry: conversation.retry }} />,
                  })}
                />
              )}
              {mayAsk ? (
                <Composer
                  textRef={text}
                  draftKey={`benchtop.task.${workbenchId}`}
                  mode={mode}
                  onMode={setMode}
                  model={choice.model}
                  onModel={choice.choose}
                  running={running}
                  waiting={waiting}
                  sending={ask.sending}
                  gate={sendGate}
                  settling={choice.settling}
                  onSend={(words) =>
                    choice.model === undefined
                      ? Promise.resolve(false)
                      : ask.ask({ kind: mode, text: words, model: choice.model })
                  }
                  onHint={hint}
                  onStop={() => void stop()}
                  modelPickerOpen={pickerOpen}
                  onModelPickerOpen={setPickerOpen}
                  meter={
                    choice.model !== undefined && (
                      <ContextMeter context={context} onContextItems={() => setDialog({ kind: "context-items" })} />
                    )
                  }
                  notice={
                    <AskNotice
                      ask={ask}
                      choice={choice}
                      hintFailure={hintFailure}
                      onSwitchModel={() => setPickerOpen(true)}
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
                  selected={search.checkpoint}
                  restoreGate={restoreGate}
                  mayChange={mayChange}
                  onRestore={(checkpointId) => setDialog({ kind: "restore", checkpointId })}
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
        {ask.open !== undefined && (
          <ConsentDialog
            status={ask.open.status}
            onChoose={(mode) => void ask.answer(mode)}
            onClose={() => {
              const { question } = ask.open ?? {};
              void ask.answer("cancel");
              // What was written is not lost with the answer.
              if (question !== undefined && question.kind !== "regenerate" && text.current?.value === "") {
                write(question.text);
              }
            }}
          />
        )}
        {consent.asked !== undefined && (
          <ConsentDialog
            standing
            status={consent.asked.status}
            onChoose={consent.asked.settle}
            onClose={() => consent.asked?.settle("cancel")}
          />
        )}
        {dialog?.kind === "restore" && (
          <RestoreDialog
            workbenchId={workbenchId}
            checkpointId={dialog.checkpointId}
            onClose={closeDialog}
            onReview={() => openReview()}
          />
        )}
        {dialog?.kind === "discard" && <DraftDiscard workbenchId={workbenchId} onClose={closeDialog} />}
        {dialog?.kind === "context-items" && <ContextItemsDialog workbenchId={workbenchId} onClose={closeDialog} />}
        {dialog?.kind === "undo" && (
          <UndoDialog
            workbenchId={workbenchId}
            entry={dialog.entry}
            entries={entries}
            {...(mayChange && {
              onRestore: (checkpointId: string) => setDialog({ kind: "restore", checkpointId }),
            })}
            onUndone={async ({ message }) => {
              closeDialog();
              await refreshWorkbench(workbenchId);
              if (isTurn(dialog.entry)) setMode(dialog.entry.kind === "message" ? "message" : "agent");
              const unsent = text.current?.value.trim() ?? "";
              if (message !== null) write(unsent === "" ? message : `${message}\n\n${unsent}`);
            }}
            onClose={closeDialog}
          />
        )}
        {dialog?.kind === "regenerate" && (
          <RegenerateDialog
            entry={dialog.entry}
            entries={entries}
            model={choice.model}
            choosing={dialog.choosing}
            onRegenerate={(other) => {
              closeDialog();
              void regenerate(dialog.entry, other);
            }}
            onClose={closeDialog}
          />
        )}
      </Screen>
    </WorkbenchPlaceContext>
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
