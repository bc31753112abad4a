import type { LocalModel } from "@benchtop/operations";
import { useState } from "react";
import { client } from "../api/client.ts";
import { Button } from "../components/button.tsx";
import { Checkbox } from "../components/checkbox.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { TextField } from "../components/field.tsx";
import { formatBytes } from "../components/format.ts";
import { Select } from "../components/select.tsx";
import { useAttempt } from "../components/use-attempt.ts";
import { keepAliveOptions } from "./keep-alive.ts";
import { refreshModels } from "./queries.ts";

/** Loads a model as a person wants it: with adapters, with another context, for longer. An adapter asks for its model first. */
export function LoadDialog(props: {
  readonly model: LocalModel;
  readonly models: readonly LocalModel[];
  readonly onClose: () => void;
}) {
  const { model, models } = props;
  const bases = models.filter(({ kind, embeds }) => kind === "model" && !embeds);
  const installed = models.filter(({ kind }) => kind === "adapter");
  const [name, setName] = useState(model.kind === "model" ? model.name : (baseOf(model, bases) ?? ""));
  const [adapters, setAdapters] = useState<readonly string[]>(model.kind === "adapter" ? [model.name] : []);
  const [context, setContext] = useState("");
  const [keepAlive, setKeepAlive] = useState("usual");
  const { busy, failure, attempt } = useAttempt();
  const tokens = context.trim() === "" ? undefined : Number(context);
  const wrongContext =
    tokens !== undefined && (!Number.isInteger(tokens) || tokens < 16)
      ? "A whole number of tokens, 16 at least."
      : undefined;
  const load = () =>
    attempt(async () => {
      await client.call("modelRuntimes.load", {
        name,
        ...(tokens !== undefined && { contextTokens: tokens }),
        ...(adapters.length > 0 && { adapters: [...adapters] }),
        ...(keepAlive !== "usual" && { keepAliveSeconds: keepAlive === "always" ? null : Number(keepAlive) }),
      });
      await refreshModels();
      props.onClose();
    });
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={model.kind === "adapter" ? `Load a model with ${model.name}` : `Load ${model.name}`}
      description="It is loaded when it is asked, too. Here it can be loaded otherwise than usual."
      footer={
        <>
          <Button onClick={props.onClose}>Cancel</Button>
          <Button
            tone="primary"
            busy={busy}
            disabledReason={name === "" ? "Choose the model that the adapter is for." : wrongContext}
            onClick={() => void load()}
          >
            Load
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3.5">
        {model.kind === "adapter" && (
          <div>
            <p className="mb-1 text-sm font-medium text-muted">Model</p>
            <Select
              label="Model"
              value={name}
              onChange={setName}
              className="w-full"
              options={bases.map((base) => ({ value: base.name, label: base.name, note: formatBytes(base.bytes) }))}
            />
          </div>
        )}
        {installed.length > 0 && (
          <fieldset>
            <legend className="mb-1 text-sm font-medium text-muted">Adapters</legend>
            {installed.map((adapter) => (
              <Checkbox
                key={adapter.name}
                label={adapter.name}
                note={`${formatBytes(adapter.bytes)} · ${adapter.source}`}
                checked={adapters.includes(adapter.name)}
                onChange={(checked) =>
                  setAdapters((before) =>
                    checked ? [...before, adapter.name] : before.filter((each) => each !== adapter.name),
                  )
                }
              />
            ))}
          </fieldset>
        )}
        <div className="grid gap-3.5 sm:grid-cols-2">
          <TextField
            label="Context (tokens)"
            inputMode="numeric"
            placeholder="as usual"
            value={context}
            onChange={(event) => setContext(event.target.value)}
            error={wrongContext}
            hint={model.contextTokens === null ? undefined : `Made for ${model.contextTokens.toLocaleString("en-US")}.`}
          />
          <div>
            <p className="mb-1 text-sm font-medium text-muted">Stays when idle</p>
            <Select
              label="Stays when idle"
              value={keepAlive}
              onChange={setKeepAlive}
              className="h-8! w-full"
              options={[{ value: "usual", label: "As usual" }, ...keepAliveOptions]}
            />
          </div>
        </div>
        {failure !== undefined && <ErrorNotice failure={failure} handlers={{ retry: load }} />}
      </div>
    </Dialog>
  );
}

/** The model that an adapter was trained for, where its source says so and it is still here. */
function baseOf(adapter: LocalModel, bases: readonly LocalModel[]): string | undefined {
  const named = bases.find(({ name }) => adapter.source.split(/[\s,]+/).includes(name));
  return (named ?? (bases.length === 1 ? bases[0] : undefined))?.name;
}
