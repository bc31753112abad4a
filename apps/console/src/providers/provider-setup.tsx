import type { InputOf, Operations } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { ArrowLeft, CircleCheck } from "lucide-react";
import { useRef, useState, type FormEvent } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { query, queryClient } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Elapsed } from "../components/elapsed.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { TextField } from "../components/field.tsx";
import { formatCount, formatDuration } from "../components/format.ts";
import { Segmented } from "../components/segmented.tsx";
import { anyOther, featured, kindNames, presetOf, type Preset } from "./presets.ts";

const kinds = (["openai-chat", "openai-responses", "anthropic-messages"] as const).map((value) => ({
  value,
  label: kindNames[value],
}));

type Step =
  | { readonly name: "editing" }
  | { readonly name: "saving" | "testing"; readonly since: string }
  | { readonly name: "failed"; readonly failure: Failure }
  | { readonly name: "connected"; readonly models: readonly string[]; readonly latencyMs: number };

/** A card for each way, then a short form that saves the provider and proves that it answers. */
export function ProviderSetup(props: { readonly onDone?: () => void; readonly doneLabel?: string }) {
  const [preset, setPreset] = useState<Preset>();
  const catalogue = useQuery({ ...query("providers.catalogue", {}), staleTime: Infinity });
  const known = (catalogue.data?.items ?? []).map(presetOf);
  const first = known.filter(({ id }) => featured.includes(id));
  const others = known.filter(({ id }) => !featured.includes(id));
  if (preset !== undefined) {
    return (
      <ProviderForm
        key={preset.id}
        preset={preset}
        onBack={() => setPreset(undefined)}
        {...(props.onDone !== undefined && { onDone: props.onDone })}
        doneLabel={props.doneLabel ?? "Done"}
      />
    );
  }
  return (
    <>
      <div className="grid gap-2.5 sm:grid-cols-2 xl:grid-cols-4">
        {[...first, ...anyOther].map((each) => (
          <button
            key={each.id}
            type="button"
            onClick={() => setPreset(each)}
            className="group flex items-start gap-3 rounded-lg border border-line bg-raised p-4 text-left shadow-raised transition-colors duration-(--quick) hover:border-accent-line hover:bg-accent-soft sm:flex-col"
          >
            <span className="flex size-8 shrink-0 items-center justify-center rounded-md bg-sunken text-muted group-hover:bg-surface group-hover:text-accent-ink">
              <each.icon size={16} aria-hidden />
            </span>
            <span>
              <span className="block font-semibold">{each.title}</span>
              <span className="mt-0.5 block text-sm text-muted">{each.summary}</span>
            </span>
          </button>
        ))}
      </div>
      {others.length > 0 && (
        <div className="mt-3 flex flex-wrap items-center gap-1.5" role="group" aria-label="Other providers">
          <span className="mr-1 text-sm text-muted">Or</span>
          {others.map((each) => (
            <Button key={each.id} size="small" onClick={() => setPreset(each)}>
              {each.title}
            </Button>
          ))}
        </div>
      )}
    </>
  );
}

function ProviderForm(props: {
  readonly preset: Preset;
  readonly onBack: () => void;
  readonly onDone?: () => void;
  readonly doneLabel: string;
}) {
  const { preset } = props;
  // The maker's own address speaks the maker's own protocol.
  const isFixed = preset.key === "required" && !preset.baseUrl.includes("{");
  const [name, setName] = useState(preset.name);
  const [baseUrl, setBaseUrl] = useState(preset.baseUrl);
  const [kind, setKind] = useState(preset.kind);
  const [apiKey, setApiKey] = useState("");
  const [step, setStep] = useState<Step>({ name: "editing" });
  const keyField = useRef<HTMLInputElement>(null);
  const busy = step.name === "saving" || step.name === "testing";

  const connect = async () => {
    const provider: InputOf<Operations["providers.add"]> = {
      ...(preset.known && { preset: preset.id }),
      name,
      kind,
      baseUrl: baseUrl.trim().replace(/\/+$/, ""),
      local: preset.local,
      ...(apiKey !== "" && { apiKey }),
    };
    try {
      setStep({ name: "saving", since: new Date().toISOString() });
      await client.call("providers.add", provider);
      setStep({ name: "testing", since: new Date().toISOString() });
      const answer = await client.call("providers.test", { name });
      setStep({ name: "connected", models: answer.models, latencyMs: answer.latencyMs });
    } catch (thrown) {
      setStep({ name: "failed", failure: failureOf(thrown) });
    } finally {
      void queryClient.invalidateQueries({ queryKey: ["providers.list"] });
      void queryClient.invalidateQueries({ queryKey: ["models.list"] });
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!busy) void connect();
  };

  return (
    <form
      onSubmit={submit}
      className="rounded-lg border border-line bg-raised p-4 shadow-raised"
      aria-label={preset.title}
    >
      <div className="mb-3 flex items-center gap-2">
        <Button tone="quiet" size="small" icon={<ArrowLeft size={13} aria-hidden />} onClick={props.onBack}>
          Back
        </Button>
        <h3 className="font-semibold">{preset.title}</h3>
      </div>
      <div className="grid gap-3 sm:grid-cols-2">
        {!isFixed && (
          <TextField
            label="Base URL"
            name="baseUrl"
            value={baseUrl}
            onChange={(event) => setBaseUrl(event.target.value)}
            autoFocus
            spellCheck={false}
            inputMode="url"
            required
            hint={
              preset.local
                ? "On loopback: no consent is needed, nothing leaves this machine."
                : "HTTPS only. Its host joins the list of hosts that may be asked."
            }
          />
        )}
        <TextField
          label={preset.key === "required" ? "API key" : "API key (if it needs one)"}
          name="apiKey"
          ref={keyField}
          type="password"
          autoComplete="off"
          autoFocus={isFixed}
          required={preset.key === "required"}
          value={apiKey}
          onChange={(event) => setApiKey(event.target.value)}
          hint="Kept encrypted on this machine. It is never shown again."
        />
        <TextField
          label="Name"
          name="name"
          value={name}
          onChange={(event) => setName(event.target.value)}
          pattern="[a-z0-9][a-z0-9\-]{0,39}"
          title="Lower-case letters, digits and dashes, 40 at most"
          spellCheck={false}
          required
          hint={`Models are then called ${name === "" ? "name" : name}/model.`}
        />
        {!isFixed && (
          <div>
            <p className="mb-1 text-sm font-medium text-muted">Protocol</p>
            <Segmented label="Protocol" value={kind} onChange={setKind} options={kinds} />
          </div>
        )}
      </div>
      <div className="mt-4 flex flex-wrap items-center gap-3">
        <Button type="submit" tone={step.name === "connected" ? "default" : "primary"} busy={busy}>
          {step.name === "connected" ? "Test again" : "Save and test"}
        </Button>
        <p className="tabular text-sm text-muted" role="status">
          {step.name === "saving" && "Saving…"}
          {step.name === "testing" && (
            <>
              Asking {hostOf(baseUrl)} for its models… <Elapsed since={step.since} />
            </>
          )}
        </p>
      </div>
      {step.name === "failed" && (
        <div className="mt-3">
          <ErrorNotice
            failure={step.failure}
            handlers={{
              retry: connect,
              open_settings: () => {
                keyField.current?.focus();
                keyField.current?.select();
              },
              switch_model: props.onBack,
            }}
          />
        </div>
      )}
      {step.name === "connected" && (
        <div className="mt-3 flex flex-wrap items-center gap-3 rounded-lg border border-good-line bg-good-soft px-3 py-2.5">
          <CircleCheck size={16} aria-hidden className="text-good" />
          <p className="tabular min-w-0 flex-1">
            <span className="font-medium">Connected.</span> {formatCount(step.models.length, "model")} in{" "}
            {formatDuration(step.latencyMs)}
            <span className="block truncate text-sm text-muted">{step.models.slice(0, 6).join(", ")}</span>
          </p>
          {props.onDone !== undefined && (
            <Button tone="primary" onClick={props.onDone}>
              {props.doneLabel}
            </Button>
          )}
        </div>
      )}
    </form>
  );
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : "the provider";
}
