import { rolePermissions, type Identity, type Role, type Scope } from "@benchtop/operations";
import { useState, type FormEvent } from "react";
import { client } from "../api/client.ts";
import { queryClient } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { Checkbox } from "../components/checkbox.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { TextField } from "../components/field.tsx";
import { formatCount } from "../components/format.ts";
import { RadioCards } from "../components/radio-cards.tsx";
import { Segmented } from "../components/segmented.tsx";
import { Select } from "../components/select.tsx";
import { useAttempt } from "../components/use-attempt.ts";
import { verbs } from "../identity/identity.ts";
import { nameOf } from "../members/member-row.tsx";
import { roleNotes, rolesBelow } from "../members/roles.ts";
import { NewKey } from "./new-key.tsx";
import { grantable, scopesOf, type Preset } from "./scopes.ts";

const lifetimes = [7, 30, 90, 365] as const;

/** Makes a key, and shows it once. */
export function CreateKeyDialog(props: { readonly identity: Identity; readonly onClose: () => void }) {
  const { identity } = props;
  const [name, setName] = useState("");
  const [whose, setWhose] = useState<"mine" | "service">("mine");
  const [role, setRole] = useState<Role>("editor");
  const [preset, setPreset] = useState<Preset>("work");
  const [chosen, setChosen] = useState<readonly Scope[]>([]);
  const [days, setDays] = useState("90");
  const [secret, setSecret] = useState<string>();
  const { busy, failure, attempt } = useAttempt();
  const available = grantable(
    whose === "mine"
      ? identity.permissions
      : rolePermissions[role].filter((each) => identity.permissions.includes(each)),
  );
  const scopes =
    preset === "custom" ? available.filter((scope) => chosen.includes(scope)) : scopesOf(preset, available);
  const gate =
    name.trim() === ""
      ? "Give it a name first."
      : scopes.length === 0
        ? "Choose at least one thing that it may do."
        : undefined;
  const create = () =>
    attempt(async () => {
      const made = await client.call("keys.create", {
        name: name.trim(),
        scopes: [...scopes],
        expiresInDays: days === "never" ? null : Number(days),
        ...(whose === "service" && { service: { role } }),
      });
      await queryClient.invalidateQueries({ queryKey: ["keys.list"] });
      if (whose === "service") await queryClient.invalidateQueries({ queryKey: ["members.list"] });
      setSecret(made.secret);
    });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (gate === undefined && !busy) void create();
  };
  if (secret !== undefined) {
    return (
      <Dialog
        open
        staysOpen
        onClose={props.onClose}
        title={`The key ${name.trim()}`}
        description="It is shown this once. Benchtop keeps only a fingerprint of it and cannot show it again."
        footer={
          <Button tone="primary" onClick={props.onClose}>
            I have stored it
          </Button>
        }
      >
        <NewKey secret={secret} />
      </Dialog>
    );
  }
  return (
    <Dialog
      open
      onClose={props.onClose}
      wide={preset === "custom"}
      title="New API key"
      footer={
        <>
          <Button onClick={props.onClose}>Cancel</Button>
          <Button tone="primary" type="submit" form="create-key" busy={busy} disabledReason={gate}>
            Make the key
          </Button>
        </>
      }
    >
      <form id="create-key" onSubmit={submit} className="flex flex-col gap-4">
        <TextField
          label="Name"
          name="name"
          autoFocus
          autoComplete="off"
          maxLength={100}
          placeholder="Nightly report"
          value={name}
          onChange={(event) => setName(event.target.value)}
          hint="What uses it, to tell it from others later."
        />
        {identity.permissions.includes("members:write") && (
          <div className="flex flex-col items-start gap-2">
            <Segmented
              label="Whose key"
              value={whose}
              onChange={setWhose}
              options={[
                { value: "mine", label: "Mine" },
                { value: "service", label: "A service’s" },
              ]}
            />
            <p className="text-sm text-muted">
              {whose === "mine"
                ? "It acts as you, and ends when you leave the workspace."
                : "It acts as a program of the team’s with a role of its own, and outlasts whoever made it."}
            </p>
            {whose === "service" && (
              <Select
                label="Role of the service"
                value={role}
                onChange={(value) => setRole(rolesBelow(identity).find((each) => each === value) ?? "viewer")}
                options={rolesBelow(identity).map((each) => ({
                  value: each,
                  label: nameOf(each),
                  note: roleNotes[each],
                }))}
              />
            )}
          </div>
        )}
        <div>
          <p className="mb-1 text-sm font-medium text-muted">What it may do</p>
          <RadioCards
            label="What it may do"
            value={preset}
            onChange={(next) => {
              if (next === "custom" && chosen.length === 0) setChosen(scopes);
              setPreset(next);
            }}
            options={presetsFor(available, whose)}
          />
          {preset === "custom" && (
            <fieldset className="mt-2 grid gap-x-2 rounded-lg border border-line p-1.5 sm:grid-cols-2">
              <legend className="sr-only">Scopes</legend>
              {available.map((scope) => (
                <Checkbox
                  key={scope}
                  label={<code className="text-sm">{scope}</code>}
                  note={sentence(verbs[scope])}
                  checked={chosen.includes(scope)}
                  onChange={(checked) =>
                    setChosen((before) => (checked ? [...before, scope] : before.filter((each) => each !== scope)))
                  }
                />
              ))}
            </fieldset>
          )}
        </div>
        <div className="flex items-center gap-3">
          <span className="text-sm font-medium text-muted">Expires</span>
          <Select
            label="Expires"
            value={days}
            onChange={setDays}
            options={[
              ...lifetimes.map((each) => ({ value: String(each), label: `after ${each} days` })),
              { value: "never", label: "never", note: "revoke it when it is done" },
            ]}
          />
        </div>
        {failure !== undefined && <ErrorNotice failure={failure} handlers={{ retry: create }} />}
      </form>
    </Dialog>
  );
}

function presetsFor(available: readonly Scope[], whose: "mine" | "service") {
  const count = (preset: "read" | "work" | "everything") => formatCount(scopesOf(preset, available).length, "scope");
  const writes = available.some((scope) => scope.endsWith(":write") && scope !== "keys:write");
  return [
    { value: "read" as const, label: "Read", note: `Workbenches, runs, providers, what left. ${count("read")}.` },
    ...(writes
      ? [
          {
            value: "work" as const,
            label: "Work",
            note: `Also start runs, change files and publish them. ${count("work")}.`,
          },
        ]
      : []),
    {
      value: "everything" as const,
      label: whose === "mine" ? "Everything I may" : "Everything its role may",
      note: `What the role allows at the moment of use, never more. ${count("everything")}.`,
    },
    { value: "custom" as const, label: "Custom", note: "Choose scope by scope." },
  ];
}

function sentence(text: string | undefined): string | undefined {
  return text === undefined ? undefined : `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
