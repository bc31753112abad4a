import type { Permission } from "@benchtop/operations";
import { Dialog } from "@base-ui/react/dialog";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import {
  Boxes,
  Building2,
  Contrast,
  Keyboard,
  LayoutGrid,
  Plug,
  Plus,
  Search,
  Square,
  SquareActivity,
} from "lucide-react";
import { useState, type ReactNode } from "react";
import { client } from "../api/client.ts";
import { query, queryClient } from "../api/queries.ts";
import { shortId } from "../components/format.ts";
import { RelativeTime } from "../components/relative-time.tsx";
import { appearances, setAppearance } from "../settings/appearance.ts";
import { settingsSectionsFor } from "../settings/sections.ts";
import { switchWorkspace } from "../workspaces/switch-workspace.ts";
import { useWorkspaces } from "../workspaces/account-menu.tsx";
import { useIdentity } from "../identity/identity.ts";
import { sectionsFor } from "./navigation.ts";

/** Every object and every action, by a few letters of its name. */
export default function CommandPalette(props: { readonly onClose: () => void; readonly onKeys: () => void }) {
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const identity = useIdentity();
  const may = (permission: Permission) => identity?.permissions.includes(permission) ?? false;
  const workbenches =
    useQuery({ ...query("workbenches.list", { limit: 200 }), enabled: may("workbenches:read") }).data?.items ?? [];
  const runs = useQuery({ ...query("runs.list", { limit: 60 }), enabled: may("runs:read") }).data?.items ?? [];
  const models = useQuery({ ...query("localModels.list", {}), enabled: may("providers:read") }).data?.items ?? [];
  const providers = useQuery({ ...query("providers.list", {}), enabled: may("providers:read") }).data?.items ?? [];
  const workspaces = useWorkspaces().filter(({ workspaceId }) => workspaceId !== identity?.workspaceId);
  const choose = (action: () => unknown) => () => {
    props.onClose();
    void action();
  };
  const active = may("runs:write") ? runs.filter((run) => run.status === "pending") : [];
  const drafts = workbenches.filter((workbench) => workbench.hasDraft);
  return (
    <Dialog.Root open onOpenChange={(open) => !open && props.onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="fixed inset-0 z-40 bg-scrim" />
        <Dialog.Popup className="floating fixed inset-x-0 top-[12vh] z-40 mx-auto w-[min(600px,calc(100%-24px))] overflow-hidden rounded-xl border border-line bg-raised shadow-floating">
          <Dialog.Title className="sr-only">Search and commands</Dialog.Title>
          <Command label="Search and commands" loop>
            <div className="flex items-center gap-2.5 border-b border-line px-4">
              <Search size={15} aria-hidden className="text-faint" />
              <Command.Input
                autoFocus
                value={text}
                onValueChange={setText}
                placeholder="Search workbenches, runs, actions…"
                className="h-12 flex-1 bg-transparent text-lg outline-none!"
              />
            </div>
            <Command.List className="max-h-[min(420px,56vh)] overflow-y-auto p-1.5">
              <Command.Empty className="px-3 py-8 text-center text-muted">Nothing has that name.</Command.Empty>
              <Group heading="Go to">
                {sectionsFor(identity).map(({ to, label, icon: Icon, keys }) => (
                  <Row
                    key={to}
                    value={`go to ${label}`}
                    icon={<Icon size={15} aria-hidden />}
                    onSelect={choose(() => navigate({ to }))}
                    note={keys}
                  >
                    {label}
                  </Row>
                ))}
                {settingsSectionsFor(identity).map(({ id, label, words, icon: Icon }) => (
                  <Row
                    key={id}
                    value={`settings ${label} ${words}`}
                    icon={<Icon size={15} aria-hidden />}
                    onSelect={choose(() => navigate({ to: "/settings", search: { section: id } }))}
                    note="Settings"
                  >
                    {label}
                  </Row>
                ))}
              </Group>
              <Group heading="Actions">
                {may("workbenches:write") && (
                  <Row
                    value="new workbench create"
                    icon={<Plus size={15} aria-hidden />}
                    onSelect={choose(() => navigate({ to: "/workbenches", search: { create: true } }))}
                  >
                    New workbench…
                  </Row>
                )}
                {may("providers:write") && (
                  <Row
                    value="add provider model key"
                    icon={<Plug size={15} aria-hidden />}
                    onSelect={choose(() => navigate({ to: "/settings", search: { section: "providers" } }))}
                  >
                    Add a model provider…
                  </Row>
                )}
                {may("models:write") && (
                  <>
                    <Row
                      value="install a model local download hugging face ollama"
                      icon={<Boxes size={15} aria-hidden />}
                      onSelect={choose(() => navigate({ to: "/models", search: { window: "install" } }))}
                    >
                      Install a model…
                    </Row>
                    <Row
                      value="train a model examples lora"
                      icon={<Boxes size={15} aria-hidden />}
                      onSelect={choose(() => navigate({ to: "/models/jobs", search: { window: "train" } }))}
                    >
                      Train a model…
                    </Row>
                  </>
                )}
                {workspaces.map(({ workspaceId, name }) => (
                  <Row
                    key={workspaceId}
                    value={`switch workspace ${name} ${workspaceId}`}
                    icon={<Building2 size={15} aria-hidden />}
                    onSelect={choose(() => switchWorkspace(workspaceId))}
                  >
                    Switch to the workspace {name}
                  </Row>
                ))}
                {drafts.map((workbench) => (
                  <Row
                    key={workbench.workbenchId}
                    value={`review draft ${workbench.name} ${workbench.workbenchId}`}
                    icon={<LayoutGrid size={15} aria-hidden />}
                    onSelect={choose(() =>
                      navigate({
                        to: "/workbenches/$workbenchId",
                        params: { workbenchId: workbench.workbenchId },
                        search: { pane: "review" },
                      }),
                    )}
                  >
                    Review the Draft of {workbench.name}
                  </Row>
                ))}
                {active.map((run) => (
                  <Row
                    key={run.runId}
                    value={`stop run ${run.title} ${run.runId}`}
                    icon={<Square size={15} aria-hidden />}
                    onSelect={choose(async () => {
                      await client.call("runs.abort", { runId: run.runId, reason: "Stopped in the console." });
                      await queryClient.invalidateQueries({ queryKey: ["runs.list"] });
                    })}
                  >
                    Stop: {run.title}
                  </Row>
                ))}
                {appearances.map((appearance) => (
                  <Row
                    key={appearance}
                    value={`appearance theme ${appearance}`}
                    icon={<Contrast size={15} aria-hidden />}
                    onSelect={choose(() => setAppearance(appearance))}
                  >
                    Appearance: {appearance.replace("-", " ")}
                  </Row>
                ))}
                <Row
                  value="keys shortcuts"
                  icon={<Keyboard size={15} aria-hidden />}
                  onSelect={choose(props.onKeys)}
                  note="?"
                >
                  Keyboard keys
                </Row>
              </Group>
              <Group heading="Workbenches">
                {workbenches.map((workbench) => (
                  <Row
                    key={workbench.workbenchId}
                    value={`workbench ${workbench.name} ${workbench.workbenchId}`}
                    icon={<LayoutGrid size={15} aria-hidden />}
                    onSelect={choose(() =>
                      navigate({ to: "/workbenches/$workbenchId", params: { workbenchId: workbench.workbenchId } }),
                    )}
                    note={<RelativeTime at={workbench.updatedAt} />}
                  >
                    {workbench.name}
                  </Row>
                ))}
              </Group>
              <Group heading="Runs">
                {runs.map((run) => (
                  <Row
                    key={run.runId}
                    value={`run ${run.title} ${run.kind} ${run.runId}`}
                    icon={<SquareActivity size={15} aria-hidden />}
                    onSelect={choose(() => navigate({ to: "/runs/$runId", params: { runId: run.runId } }))}
                    note={<RelativeTime at={run.startedAt} />}
                  >
                    {run.title === "" ? `${run.kind} ${shortId(run.runId)}` : run.title}
                  </Row>
                ))}
              </Group>
              <Group heading="Models of this machine">
                {models.map((model) => (
                  <Row
                    key={model.name}
                    value={`model ${model.name} ${model.architecture}`}
                    icon={<Boxes size={15} aria-hidden />}
                    onSelect={choose(() => navigate({ to: "/models", search: { model: model.name } }))}
                    note={model.quantization}
                  >
                    {model.name}
                  </Row>
                ))}
                {may("runs:write") && may("providers:read") && (
                  <Row
                    value="playground try prompt models side by side guide"
                    icon={<Boxes size={15} aria-hidden />}
                    onSelect={choose(() => navigate({ to: "/models/playground" }))}
                  >
                    Playground
                  </Row>
                )}
              </Group>
              <Group heading="Providers">
                {providers.map((provider) => (
                  <Row
                    key={provider.name}
                    value={`provider ${provider.name} ${provider.baseUrl}`}
                    icon={<Plug size={15} aria-hidden />}
                    onSelect={choose(() => navigate({ to: "/settings", search: { section: "providers" } }))}
                    note={provider.kind}
                  >
                    {provider.name}
                  </Row>
                ))}
              </Group>
            </Command.List>
          </Command>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function Group(props: { readonly heading: string; readonly children: ReactNode }) {
  return (
    <Command.Group
      heading={props.heading}
      className="[&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:font-semibold [&_[cmdk-group-heading]]:text-faint"
    >
      {props.children}
    </Command.Group>
  );
}

function Row(props: {
  readonly value: string;
  readonly icon: ReactNode;
  readonly onSelect: () => void;
  readonly note?: ReactNode;
  readonly children: ReactNode;
}) {
  return (
    <Command.Item
      value={props.value}
      onSelect={props.onSelect}
      className="flex h-8.5 items-center gap-2.5 rounded-md px-2.5 data-[selected=true]:bg-selected"
    >
      <span className="shrink-0 text-faint">{props.icon}</span>
      <span className="min-w-0 flex-1 truncate">{props.children}</span>
      {props.note !== undefined && <span className="shrink-0 text-sm text-muted">{props.note}</span>}
    </Command.Item>
  );
}
