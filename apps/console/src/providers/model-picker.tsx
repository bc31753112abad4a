import type { Model } from "@benchtop/operations";
import { Popover } from "@base-ui/react/popover";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import { Check, ChevronDown, HardDrive, Globe, Plug } from "lucide-react";
import { useState } from "react";
import { modelList, query } from "../api/queries.ts";

/** What references to the models of this machine begin with. */
const machine = "benchtop";

/** Chooses a model by a few letters of its name; every model says whether it is on this machine. */
export function ModelPicker(props: {
  readonly value: string | undefined;
  readonly onChange: (model: string) => void;
  readonly open: boolean;
  readonly onOpenChange: (open: boolean) => void;
  /** Opens downwards, where it stands at the top. */
  readonly below?: boolean;
}) {
  const navigate = useNavigate();
  const models = useQuery(modelList);
  const items = models.data?.items ?? [];
  const providers = useQuery(query("providers.list", {})).data?.items ?? [];
  const [text, setText] = useState("");
  const provider = providers.find(({ name }) => props.value?.startsWith(`${name}/`));
  const own = items.filter(({ providerId }) => providerId === machine);
  const others = items.filter(({ providerId }) => providerId !== machine);
  const isOwn = props.value?.startsWith(`${machine}/`) === true;
  const Icon = isOwn || provider?.local === true ? HardDrive : provider === undefined ? Plug : Globe;
  // Not every server lists its models; a name that is known can be written out.
  const written = providers
    .map(({ name }) => (text.startsWith(`${name}/`) ? text : `${name}/${text}`))
    .filter((ref) => /^[a-z0-9][a-z0-9-]*\/[^\s/]\S*$/.test(ref) && !items.some((item) => item.ref === ref))
    .filter((ref, _index, refs) => !refs.includes(text) || ref === text);
  const choose = (ref: string) => {
    props.onChange(ref);
    props.onOpenChange(false);
    setText("");
  };
  return (
    <Popover.Root open={props.open} onOpenChange={props.onOpenChange}>
      <Popover.Trigger
        aria-label={`Model: ${props.value ?? "none chosen"}`}
        className="inline-flex h-6.5 min-w-0 items-center gap-1.5 rounded-md px-2 text-sm font-medium text-muted hover:bg-hover hover:text-ink"
      >
        <Icon size={13} aria-hidden className="shrink-0" />
        <span className="truncate">{props.value ?? (models.isPending ? "Loading models…" : "Choose a model")}</span>
        <ChevronDown size={12} aria-hidden className="shrink-0 text-faint" />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner
          side={props.below === true ? "bottom" : "top"}
          align="start"
          sideOffset={6}
          className="z-50"
        >
          <Popover.Popup className="floating w-84 max-w-[calc(100vw-24px)] overflow-hidden rounded-lg border border-line bg-raised shadow-floating">
            <Popover.Title className="sr-only">Choose a model</Popover.Title>
            <Command label="Models" loop defaultValue={props.value ?? ""}>
              <Command.Input
                autoFocus
                value={text}
                onValueChange={setText}
                placeholder="Find a model…"
                className="h-9 w-full border-b border-line bg-transparent px-3 outline-none!"
              />
              <Command.List className="max-h-72 overflow-y-auto p-1">
                <Command.Empty className="px-3 py-5 text-center text-sm text-muted">
                  {models.isPending ? "Asking the providers…" : "No model has that name."}
                </Command.Empty>
                {own.length > 0 && (
                  <Command.Group heading="This machine" className={groupClass}>
                    {own.map((model) => (
                      <ModelItem key={model.ref} model={model} chosen={model.ref === props.value} onChoose={choose} />
                    ))}
                  </Command.Group>
                )}
                {others.length > 0 && (
                  <Command.Group {...(own.length > 0 && { heading: "Providers" })} className={groupClass}>
                    {others.map((model) => (
                      <ModelItem key={model.ref} model={model} chosen={model.ref === props.value} onChoose={choose} />
                    ))}
                  </Command.Group>
                )}
                {text !== "" &&
                  written.map((ref) => (
                    <Command.Item
                      key={`written ${ref}`}
                      value={`use ${ref} ${text}`}
                      onSelect={() => choose(ref)}
                      className="flex h-7.5 items-center gap-2 rounded-md px-2 data-[selected=true]:bg-selected"
                    >
                      <span className="w-3.5" />
                      <span className="min-w-0 flex-1 truncate">Use {ref}</span>
                      <span className="text-xs text-muted">not listed</span>
                    </Command.Item>
                  ))}
                {models.data?.unavailable.map((provider) => (
                  <p key={provider.providerId} className="px-2 py-1.5 text-sm text-muted">
                    <span className="font-medium text-bad">{provider.providerId}</span> does not answer:{" "}
                    {provider.message}
                  </p>
                ))}
                <Command.Item
                  value="add a provider settings"
                  onSelect={() => void navigate({ to: "/settings", search: { section: "providers" } })}
                  className="mt-1 flex h-7.5 items-center gap-2 rounded-md border-t border-line px-2 text-muted data-[selected=true]:bg-selected"
                >
                  <Plug size={13} aria-hidden /> Providers…
                </Command.Item>
              </Command.List>
            </Command>
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}

const groupClass =
  "[&_[cmdk-group-heading]]:px-2 [&_[cmdk-group-heading]]:pt-1.5 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:font-semibold [&_[cmdk-group-heading]]:text-faint";

function ModelItem(props: {
  readonly model: Model;
  readonly chosen: boolean;
  readonly onChoose: (ref: string) => void;
}) {
  const { model } = props;
  return (
    <Command.Item
      value={model.ref}
      onSelect={() => props.onChoose(model.ref)}
      className="flex h-7.5 items-center gap-2 rounded-md px-2 data-[selected=true]:bg-selected"
    >
      <span className="w-3.5">{props.chosen && <Check size={13} aria-hidden />}</span>
      <span className="min-w-0 flex-1 truncate">
        <span className="text-muted">{model.providerId}/</span>
        {model.modelId}
      </span>
      <span className="flex items-center gap-1 text-xs text-muted">
        {model.local ? <HardDrive size={11} aria-hidden /> : <Globe size={11} aria-hidden />}
        {model.local ? "local" : "remote"}
      </span>
    </Command.Item>
  );
}
