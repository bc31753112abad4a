import type { ContextItem } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { BookText, Library, MapPin, PenLine, Pencil, Plus, Trash2 } from "lucide-react";
import { useId, useState, type FormEvent } from "react";
import { client, failureOf } from "../api/client.ts";
import { query, refreshWorkbench } from "../api/queries.ts";
import { Button, IconButton } from "../components/button.tsx";
import { Dialog } from "../components/dialog.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { TextField } from "../components/field.tsx";
import { formatNumber } from "../components/format.ts";
import { RadioCards } from "../components/radio-cards.tsx";
import { RelativeTime } from "../components/relative-time.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useAttempt } from "../components/use-attempt.ts";
import { useMay } from "../identity/identity.ts";

type Kind = ContextItem["kind"];

const kinds: Record<Kind, { readonly label: string; readonly note: string; readonly icon: typeof MapPin }> = {
  situation: { label: "Situation", note: "What this is about, for whom, and until when.", icon: MapPin },
  "style-guide": { label: "Style guide", note: "How it has to be written.", icon: PenLine },
  reference: { label: "Reference", note: "Names, numbers, rules: anything else to go by.", icon: Library },
};

const longest = 100_000;

/** What the agents of a workbench are always told: listed, written, changed and removed. */
export function ContextItemsDialog(props: { readonly workbenchId: string; readonly onClose: () => void }) {
  const { workbenchId, onClose } = props;
  const items = useQuery(query("contextItems.list", { workbenchId }));
  const mayChange = useMay("workbenches:write");
  const [writing, setWriting] = useState<ContextItem | "new">();
  const listed = items.data?.items ?? [];
  const add = (
    <Button tone="primary" icon={<Plus size={13} aria-hidden />} onClick={() => setWriting("new")}>
      Add an item
    </Button>
  );
  const isForm = writing !== undefined;
  const back = () => setWriting(undefined);
  return (
    <Dialog
      open
      onClose={isForm ? back : onClose}
      wide
      title={!isForm ? "Context items" : writing === "new" ? "New context item" : "Change the context item"}
      description={
        isForm
          ? "It is sent with every question from now on. A model elsewhere asks for consent again."
          : "What the model is always told about this workbench: each is sent with every question. Changing them is a change of what is sent, so a model elsewhere asks for consent again."
      }
      footer={
        listed.length > 0 &&
        !isForm && (
          <>
            <Button onClick={onClose} className={mayChange ? "sm:mr-auto" : undefined}>
              Close
            </Button>
            {mayChange && add}
          </>
        )
      }
    >
      {isForm && <ItemForm workbenchId={workbenchId} item={writing === "new" ? undefined : writing} onDone={back} />}
      {items.isPending && <SkeletonRows label="Loading context items" count={3} />}
      {items.isError && (
        <ErrorNotice failure={failureOf(items.error)} handlers={{ retry: async () => void (await items.refetch()) }} />
      )}
      {items.isSuccess && listed.length === 0 && !isForm && (
        <EmptyState
          icon={<BookText size={18} aria-hidden />}
          title="Nothing is told by default"
          {...(mayChange && { action: add })}
        >
          Write down once what you would otherwise say again and again: the situation, a style guide, what to go by.
        </EmptyState>
      )}
      {listed.length > 0 && !isForm && (
        <ul className="flex flex-col gap-2">
          {listed.map((item) => (
            <ItemRow
              key={item.itemId}
              workbenchId={workbenchId}
              item={item}
              {...(mayChange && { onEdit: () => setWriting(item) })}
            />
          ))}
        </ul>
      )}
    </Dialog>
  );
}

function ItemRow(props: { readonly workbenchId: string; readonly item: ContextItem; readonly onEdit?: () => void }) {
  const { workbenchId, item } = props;
  const { label, icon: Icon } = kinds[item.kind];
  const [sure, setSure] = useState(false);
  const { busy, failure, attempt } = useAttempt();
  const remove = () =>
    attempt(async () => {
      await client.call("contextItems.remove", { workbenchId, itemId: item.itemId });
      await refreshWorkbench(workbenchId);
    });
  return (
    <li className="rounded-lg border border-line bg-raised px-3 py-2.5 shadow-raised">
      <div className="flex flex-wrap items-center gap-x-2 gap-y-1">
        <Icon size={14} aria-hidden className="text-faint" />
        <p className="min-w-0 flex-1 basis-40">
          <span className="font-semibold break-words">{item.title}</span>
          <span className="tabular block text-sm text-muted">
            {label} · {formatNumber(item.content.length)} characters · <RelativeTime at={item.updatedAt} />
          </span>
        </p>
        {props.onEdit !== undefined &&
          (sure ? (
            <span className="flex gap-1.5">
              <Button size="small" onClick={() => setSure(false)}>
                Keep
              </Button>
              <Button size="small" tone="danger" autoFocus busy={busy} onClick={() => void remove()}>
                Remove for good
              </Button>
            </span>
          ) : (
            <span className="flex">
              <IconButton label={`Edit ${item.title}`} size="small" onClick={props.onEdit}>
                <Pencil size={13} aria-hidden />
              </IconButton>
              <IconButton label={`Remove ${item.title}`} size="small" onClick={() => setSure(true)}>
                <Trash2 size={13} aria-hidden />
              </IconButton>
            </span>
          ))}
      </div>
      <p className="mt-1.5 line-clamp-3 text-sm break-words whitespace-pre-wrap text-muted">{item.content}</p>
      {failure !== undefined && (
        <div className="mt-2">
          <ErrorNotice failure={failure} handlers={{ retry: remove }} />
        </div>
      )}
    </li>
  );
}

function ItemForm(props: {
  readonly workbenchId: string;
  readonly item: ContextItem | undefined;
  readonly onDone: () => void;
}) {
  const { workbenchId, item, onDone } = props;
  const [kind, setKind] = useState<Kind>(item?.kind ?? "situation");
  const [title, setTitle] = useState(item?.title ?? "");
  const [content, setContent] = useState(item?.content ?? "");
  const { busy, failure, attempt } = useAttempt();
  const contentId = useId();
  const save = () =>
    attempt(async () => {
      await client.call("contextItems.put", {
        workbenchId,
        kind,
        title: title.trim(),
        content,
        ...(item !== undefined && { itemId: item.itemId }),
      });
      await refreshWorkbench(workbenchId);
      onDone();
    });
  const missing =
    title.trim() === ""
      ? "Give it a title first."
      : content.trim() === ""
        ? "Write its text first."
        : content.length > longest
          ? `Its text may have ${formatNumber(longest)} characters at most.`
          : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (missing === undefined && !busy) void save();
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      <RadioCards
        label="What it is"
        value={kind}
        onChange={setKind}
        options={(Object.keys(kinds) as Kind[]).map((value) => ({
          value,
          label: kinds[value].label,
          note: kinds[value].note,
        }))}
      />
      <TextField
        label="Title"
        autoFocus
        autoComplete="off"
        maxLength={200}
        placeholder="Who reads the report"
        value={title}
        onChange={(event) => setTitle(event.target.value)}
      />
      <div>
        <label htmlFor={contentId} className="mb-1 block text-sm font-medium text-muted">
          Text
        </label>
        <textarea
          id={contentId}
          rows={8}
          className="field h-auto! resize-y py-2"
          value={content}
          aria-invalid={content.length > longest || undefined}
          aria-describedby={`${contentId}-note`}
          onChange={(event) => setContent(event.target.value)}
        />
        <p id={`${contentId}-note`} className="tabular mt-1 text-sm text-faint">
          {formatNumber(content.length)} of {formatNumber(longest)} characters
        </p>
      </div>
      {failure !== undefined && <ErrorNotice failure={failure} handlers={{ retry: save }} />}
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={onDone}>Back</Button>
        <Button tone="primary" type="submit" busy={busy} disabledReason={missing}>
          {item === undefined ? "Add" : "Save"}
        </Button>
      </div>
    </form>
  );
}
