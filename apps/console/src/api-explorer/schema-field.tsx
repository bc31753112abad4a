import type { Json } from "@benchtop/protocol";
import { Plus, X } from "lucide-react";
import { useId, type ReactNode } from "react";
import { Button, IconButton } from "../components/button.tsx";
import { Checkbox } from "../components/checkbox.tsx";
import { Select } from "../components/select.tsx";
import { controlOf, describe, type Control } from "./control.ts";
import type { Schema } from "./document.ts";
import { JsonField } from "./json-field.tsx";

type Schemas = Readonly<Record<string, Schema>>;

interface FieldProps {
  readonly name: string;
  readonly schema: Schema;
  readonly schemas: Schemas;
  readonly required: boolean;
  /** Undefined: left out. */
  readonly value: Json | undefined;
  readonly onChange: (value: Json | undefined) => void;
  readonly depth?: number;
}

/** A field of a JSON Schema as something to fill in; what no form shows well is written as JSON. */
export function SchemaField(props: FieldProps) {
  const { name, schema, schemas, required, value, onChange, depth = 0 } = props;
  const control = controlOf(schema, schemas, depth);
  const id = useId();
  const hint = describe(schema, schemas);
  if (control.kind === "object") {
    return <ObjectField {...props} control={control} depth={depth} />;
  }
  if (control.kind === "list") {
    return <ListField {...props} items={control.items} depth={depth} />;
  }
  if (control.kind === "choices") {
    const chosen = Array.isArray(value) ? value : [];
    return (
      <Group name={name} required={required} hint={hint}>
        <div className="grid gap-x-2 sm:grid-cols-2">
          {control.options.map((option) => (
            <Checkbox
              key={option}
              label={<code className="text-sm">{option}</code>}
              checked={chosen.includes(option)}
              onChange={(checked) => {
                const next = control.options.filter((each) => (each === option ? checked : chosen.includes(each)));
                onChange(next.length === 0 ? undefined : next);
              }}
            />
          ))}
        </div>
      </Group>
    );
  }
  return (
    <div>
      <Label id={id} name={name} required={required} hint={hint} />
      {control.kind === "json" ? (
        <JsonField id={id} value={value} onChange={onChange} />
      ) : (
        <Scalar id={id} name={name} control={control} value={value} onChange={onChange} />
      )}
    </div>
  );
}

function Label(props: {
  readonly id: string;
  readonly name: string;
  readonly required: boolean;
  readonly hint: string;
}) {
  return (
    <label htmlFor={props.id} className="mb-1 flex flex-wrap items-baseline gap-x-2">
      <code className="text-sm font-medium">{props.name}</code>
      {props.required && <span className="text-xs font-medium text-draft">required</span>}
      <span className="min-w-0 text-xs text-faint">{props.hint}</span>
    </label>
  );
}

function Group(props: {
  readonly name: string;
  readonly required: boolean;
  readonly hint: string;
  readonly action?: ReactNode;
  readonly children: ReactNode;
}) {
  return (
    <fieldset className="rounded-lg border border-line px-3 pt-1 pb-3">
      <legend className="flex flex-wrap items-baseline gap-x-2 px-1">
        <code className="text-sm font-medium">{props.name}</code>
        {props.required && <span className="text-xs font-medium text-draft">required</span>}
        <span className="text-xs text-faint">{props.hint}</span>
      </legend>
      {props.children}
      {props.action}
    </fieldset>
  );
}

function ObjectField(
  props: FieldProps & { readonly control: Extract<Control, { kind: "object" }>; readonly depth: number },
) {
  const { name, schemas, required, value, onChange, control, depth } = props;
  const entries = typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  const set = (field: string, next: Json | undefined) => {
    const { [field]: _replaced, ...rest } = entries ?? {};
    onChange(next === undefined ? rest : { ...rest, [field]: next });
  };
  if (entries === undefined) {
    return (
      <Group name={name} required={required} hint="object, left out">
        <Button size="small" icon={<Plus size={13} aria-hidden />} onClick={() => onChange({})}>
          Fill in {name}
        </Button>
      </Group>
    );
  }
  return (
    <Group
      name={name}
      required={required}
      hint="object"
      action={
        <Button size="small" tone="quiet" className="mt-2" onClick={() => onChange(undefined)}>
          Leave {name} out
        </Button>
      }
    >
      <div className="flex flex-col gap-3">
        {control.fields.map((field) => (
          <SchemaField
            key={field.name}
            name={field.name}
            schema={field.schema}
            schemas={schemas}
            required={field.required}
            value={entries[field.name]}
            onChange={(next) => set(field.name, next)}
            depth={depth + 1}
          />
        ))}
      </div>
    </Group>
  );
}

function ListField(props: FieldProps & { readonly items: Schema; readonly depth: number }) {
  const { name, schema, schemas, required, value, onChange, items, depth } = props;
  const list = Array.isArray(value) ? value : [];
  const replace = (index: number, next: Json | undefined) =>
    onChange(list.with(index, next ?? emptyOf(items, schemas)));
  const remove = (index: number) => {
    const rest = list.toSpliced(index, 1);
    onChange(rest.length === 0 ? undefined : rest);
  };
  return (
    <Group
      name={name}
      required={required}
      hint={describe(schema, schemas)}
      action={
        <Button
          size="small"
          className={list.length > 0 ? "mt-2" : ""}
          icon={<Plus size={13} aria-hidden />}
          onClick={() => onChange([...list, emptyOf(items, schemas)])}
        >
          Add to {name}
        </Button>
      }
    >
      <ol className="flex flex-col gap-2">
        {list.map((item, index) => (
          // Nothing tells the items apart but their place.
          <li key={index} className="flex items-end gap-1.5">
            <div className="min-w-0 flex-1">
              <SchemaField
                name={`${name}[${index}]`}
                schema={items}
                schemas={schemas}
                required
                value={item}
                onChange={(next) => replace(index, next)}
                depth={depth + 1}
              />
            </div>
            <IconButton label={`Remove ${name}[${index}]`} onClick={() => remove(index)}>
              <X size={14} aria-hidden />
            </IconButton>
          </li>
        ))}
      </ol>
    </Group>
  );
}

function emptyOf(schema: Schema, schemas: Schemas): Json {
  const control = controlOf(schema, schemas);
  if (control.kind === "object") return {};
  if (control.kind === "list" || control.kind === "choices") return [];
  if (control.kind === "number") return 0;
  if (control.kind === "boolean") return false;
  return control.kind === "choice" ? (control.options[0] ?? "") : control.kind === "json" ? null : "";
}

function textOf(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

const unset = "\u0000unset";
const none = "\u0000null";

/** One value. An empty field is left out; `null` is something else, and chosen where it may be given. */
function Scalar(props: {
  readonly id: string;
  readonly name: string;
  readonly control: Exclude<Control, { kind: "object" | "list" | "choices" | "json" }>;
  readonly value: Json | undefined;
  readonly onChange: (value: Json | undefined) => void;
}) {
  const { id, name, control, value, onChange } = props;
  if (control.kind === "choice" || control.kind === "boolean") {
    const options = control.kind === "boolean" ? ["true", "false"] : control.options;
    const parse = (text: string): Json => (control.kind === "boolean" ? text === "true" : text);
    return (
      <Select
        id={id}
        label={name}
        value={value === undefined ? unset : value === null ? none : textOf(value)}
        onChange={(next) => onChange(next === unset ? undefined : next === none ? null : parse(next))}
        className="h-8! w-full"
        options={[
          { value: unset, label: "left out" },
          ...(control.nullable ? [{ value: none, label: "null" }] : []),
          ...options.map((option) => ({ value: option, label: option })),
        ]}
      />
    );
  }
  const toNull = control.nullable && (
    <Checkbox label="null" checked={value === null} onChange={(checked) => onChange(checked ? null : undefined)} />
  );
  const shown = value === undefined || value === null ? "" : textOf(value);
  if (control.kind === "number") {
    return (
      <div className="flex items-center gap-2">
        <input
          id={id}
          className="field tabular"
          type="number"
          step={control.integer ? 1 : "any"}
          value={shown}
          placeholder={value === null ? "null" : ""}
          onChange={(event) => onChange(event.target.value === "" ? undefined : Number(event.target.value))}
        />
        {toNull}
      </div>
    );
  }
  const change = (text: string) => onChange(text === "" ? undefined : text);
  return (
    <div className="flex items-start gap-2">
      {control.multiline ? (
        <textarea
          id={id}
          className="field h-auto! min-h-20 py-1.5"
          value={shown}
          placeholder={value === null ? "null" : ""}
          onChange={(event) => change(event.target.value)}
        />
      ) : (
        <input
          id={id}
          className="field"
          type={/apiKey|token|secret|password/i.test(name) ? "password" : "text"}
          autoComplete="off"
          spellCheck={false}
          value={shown}
          placeholder={value === null ? "null" : ""}
          onChange={(event) => change(event.target.value)}
        />
      )}
      {toNull}
    </div>
  );
}
