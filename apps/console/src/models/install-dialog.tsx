import type { ModelChoice } from "@benchtop/operations";
import { Radio } from "@base-ui/react/radio";
import { RadioGroup } from "@base-ui/react/radio-group";
import { Check, Search, TriangleAlert } from "lucide-react";
import { useEffect, useId, useRef, useState, type FormEvent } from "react";
import { client } from "../api/client.ts";
import { Button } from "../components/button.tsx";
import { classes } from "../components/classes.ts";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { TextField } from "../components/field.tsx";
import { formatBytes } from "../components/format.ts";
import { SkeletonRows } from "../components/skeleton.tsx";
import { useAttempt } from "../components/use-attempt.ts";
import { useMay } from "../identity/identity.ts";
import { refreshModels } from "./queries.ts";

const examples = [
  { text: "hf:bartowski/Qwen2.5-0.5B-Instruct-GGUF", note: "Hugging Face", host: false },
  { text: "ollama:qwen2.5:0.5b", note: "the Ollama library", host: false },
  { text: "https://example.com/model.gguf", note: "any address", host: false },
  { text: "/home/me/model.gguf", note: "a file of this machine", host: true },
] as const;

/** Where from, then which of what there is, then it comes in the background. */
export function InstallDialog(props: { readonly source: string | undefined; readonly onClose: () => void }) {
  const mayReadHost = useMay("host:files");
  const [source, setSource] = useState(props.source ?? "");
  const [found, setFound] = useState<{ readonly source: string; readonly items: readonly ModelChoice[] }>();
  const [chosen, setChosen] = useState<ModelChoice>();
  const [name, setName] = useState("");
  const [sha256, setSha256] = useState("");
  const looking = useAttempt();
  const installing = useAttempt();
  const sourceId = useId();
  const look = () =>
    looking.attempt(async () => {
      setFound(undefined);
      setChosen(undefined);
      const { items } = await client.call("localModels.choices", { source: source.trim() });
      setFound({ source: source.trim(), items });
      setChosen(
        items.length === 1
          ? items[0]
          : items.find(({ fitsDisk, fitsMemory }) => fitsDisk !== false && fitsMemory === true),
      );
    });
  const asked = useRef(false);
  useEffect(() => {
    if (asked.current || props.source === undefined || props.source === "") return;
    asked.current = true;
    void look();
  });
  const install = () =>
    installing.attempt(async () => {
      if (chosen === undefined) return;
      await client.call("localModels.install", {
        source: chosen.source,
        ...(name.trim() !== "" && { name: name.trim() }),
        ...(sha256.trim() !== "" && { sha256: sha256.trim().toLowerCase() }),
      });
      await refreshModels();
      props.onClose();
    });
  const stale = found !== undefined && found.source !== source.trim();
  const gate = stale
    ? "The source has changed. Look again."
    : chosen === undefined
      ? "Look at what there is, then choose one."
      : chosen.fitsDisk === false
        ? "It does not fit the disk, or what models may take of it."
        : undefined;
  const ready = gate === undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (ready && !installing.busy) void install();
  };
  return (
    <Dialog
      open
      wide
      onClose={props.onClose}
      title="Install a model"
      description="In the GGUF format. It is checked before it is installed, and runs on this machine alone."
      footer={
        <>
          <Button onClick={props.onClose}>Cancel</Button>
          <Button tone="primary" type="submit" form="install-model" busy={installing.busy} disabledReason={gate}>
            {chosen !== undefined && chosen.bytes !== null ? `Install ${formatBytes(chosen.bytes)}` : "Install"}
          </Button>
        </>
      }
    >
      <form id="install-model" onSubmit={submit} className="flex flex-col gap-3.5">
        <div>
          <label htmlFor={sourceId} className="mb-1 block text-sm font-medium text-muted">
            Where from
          </label>
          <div className="flex gap-2">
            <input
              id={sourceId}
              autoFocus
              autoComplete="off"
              spellCheck={false}
              className="field font-mono text-sm"
              placeholder={examples[0].text}
              maxLength={2000}
              value={source}
              onChange={(event) => setSource(event.target.value)}
              onKeyDown={(event) => {
                // Enter looks first, although the form’s own button installs.
                if (event.key !== "Enter" || ready) return;
                event.preventDefault();
                if (source.trim() !== "" && !looking.busy) void look();
              }}
            />
            <Button
              busy={looking.busy}
              icon={<Search size={13} aria-hidden />}
              disabledReason={source.trim() === "" ? "Write where the model is first." : undefined}
              onClick={() => void look()}
            >
              Look
            </Button>
          </div>
          {found === undefined && !looking.busy && (
            <ul className="mt-2 flex flex-col text-sm">
              {examples
                .filter(({ host }) => !host || mayReadHost)
                .map(({ text, note }) => (
                  <li key={text} className="flex flex-wrap items-baseline gap-x-2">
                    <button
                      type="button"
                      onClick={() => setSource(text)}
                      className="rounded-sm font-mono text-xs text-accent-ink underline-offset-2 hover:underline"
                    >
                      {text}
                    </button>
                    <span className="text-muted">{note}</span>
                  </li>
                ))}
            </ul>
          )}
        </div>
        {looking.busy && <SkeletonRows count={3} label="Asking the source" />}
        {looking.failure !== undefined && <ErrorNotice failure={looking.failure} handlers={{ retry: look }} />}
        {found !== undefined && found.items.length === 0 && (
          <p className="rounded-lg border border-dashed border-line-strong px-4 py-5 text-center text-muted">
            There is no GGUF file. Look for a repository whose name ends in GGUF.
          </p>
        )}
        {found !== undefined && found.items.length > 0 && (
          <Choices items={found.items} chosen={chosen} onChoose={setChosen} />
        )}
        {chosen !== undefined && !stale && (
          <div className="grid gap-3.5 sm:grid-cols-2">
            <TextField
              label="Name (optional)"
              autoComplete="off"
              spellCheck={false}
              value={name}
              onChange={(event) => setName(event.target.value)}
              placeholder="as its source names it"
              hint={`It is then asked as benchtop/${name.trim() === "" ? "NAME" : name.trim()}.`}
              maxLength={100}
            />
            <TextField
              label="SHA-256 (optional)"
              autoComplete="off"
              spellCheck={false}
              className="font-mono text-sm"
              value={sha256}
              onChange={(event) => setSha256(event.target.value)}
              placeholder="as the source tells, where it does"
              hint="What the file has to be."
              maxLength={64}
            />
          </div>
        )}
        {installing.failure !== undefined && <ErrorNotice failure={installing.failure} handlers={{ retry: install }} />}
      </form>
    </Dialog>
  );
}

function Choices(props: {
  readonly items: readonly ModelChoice[];
  readonly chosen: ModelChoice | undefined;
  readonly onChoose: (choice: ModelChoice | undefined) => void;
}) {
  const { items } = props;
  return (
    <RadioGroup
      aria-label="What there is"
      value={props.chosen?.source ?? ""}
      onValueChange={(value) => props.onChoose(items.find(({ source }) => source === value))}
      className="max-h-[38vh] overflow-y-auto rounded-lg border border-line-strong bg-raised"
    >
      {items.map((choice, index) => (
        <label
          key={choice.source}
          className={classes(
            "tabular flex flex-wrap items-center gap-x-3 gap-y-1 px-3 py-2 hover:bg-hover has-data-checked:bg-accent-soft",
            index > 0 && "border-t border-line",
          )}
        >
          <Radio.Root
            value={choice.source}
            className="flex size-4 shrink-0 items-center justify-center rounded-full border border-line-strong bg-raised data-checked:border-accent data-checked:bg-accent"
          >
            <Radio.Indicator className="size-1.5 rounded-full bg-on-accent" />
          </Radio.Root>
          <span className="min-w-40 flex-1 break-all">
            <span className="font-medium">{choice.title}</span>
          </span>
          <span className="w-16 text-sm text-muted">{choice.quantization ?? ""}</span>
          <span className="w-18 text-right text-sm max-sm:w-auto max-sm:pl-7">
            {choice.bytes === null ? "size unknown" : formatBytes(choice.bytes)}
          </span>
          <span className="flex w-52 gap-3 text-sm max-sm:w-auto">
            <Fits what="disk" fits={choice.fitsDisk} />
            <Fits what="memory" fits={choice.fitsMemory} />
          </span>
        </label>
      ))}
    </RadioGroup>
  );
}

function Fits(props: { readonly what: "disk" | "memory"; readonly fits: boolean | null }) {
  if (props.fits === null) return <span className="text-faint">{props.what}?</span>;
  return props.fits ? (
    <span className="flex items-center gap-1 text-muted">
      <Check size={12} aria-hidden className="text-good" /> fits {props.what}
    </span>
  ) : (
    <span className="flex items-center gap-1 text-draft">
      <TriangleAlert size={12} aria-hidden /> too large for {props.what}
    </span>
  );
}
