import type { InputOf, Operations } from "@benchtop/operations";
import { TextField } from "../components/field.tsx";

type Sampling = NonNullable<InputOf<Operations["runs.start"]>["sampling"]>;
type Name = keyof Sampling;

const fields: readonly {
  readonly name: Name;
  readonly label: string;
  readonly least: number;
  readonly most: number;
  readonly whole: boolean;
  readonly placeholder: string;
}[] = [
  { name: "temperature", label: "Temperature", least: 0, most: 2, whole: false, placeholder: "0 to 2" },
  { name: "topP", label: "Top-p", least: 0.01, most: 1, whole: false, placeholder: "up to 1" },
  { name: "seed", label: "Seed", least: 0, most: 4_294_967_295, whole: true, placeholder: "any" },
  { name: "maxOutputTokens", label: "Most tokens", least: 1, most: 1_000_000, whole: true, placeholder: "no limit" },
];

export type SamplingTexts = Readonly<Partial<Record<Name, string>>>;

/** How the next token is chosen; what is left empty is the model's own. */
export function SamplingFields(props: {
  readonly texts: SamplingTexts;
  readonly onChange: (texts: SamplingTexts) => void;
}) {
  const { texts, onChange } = props;
  return (
    <div className="grid grid-cols-2 gap-3 sm:grid-cols-4">
      {fields.map((field) => (
        <TextField
          key={field.name}
          label={field.label}
          inputMode="decimal"
          autoComplete="off"
          placeholder={field.placeholder}
          value={texts[field.name] ?? ""}
          onChange={(event) => onChange({ ...texts, [field.name]: event.target.value })}
          error={
            valueOf(field, texts) === null ? `${field.least} to ${field.most.toLocaleString("en-US")}.` : undefined
          }
        />
      ))}
    </div>
  );
}

/** The numbers that were written; null when one of them cannot be. */
export function samplingOf(texts: SamplingTexts): Sampling | null {
  const sampling: Sampling = {};
  for (const field of fields) {
    const value = valueOf(field, texts);
    if (value === null) return null;
    if (value !== undefined) sampling[field.name] = value;
  }
  return sampling;
}

function valueOf(
  { name, least, most, whole }: (typeof fields)[number],
  texts: SamplingTexts,
): number | null | undefined {
  const text = (texts[name] ?? "").trim();
  if (text === "") return undefined;
  const value = Number(text);
  return Number.isFinite(value) && value >= least && value <= most && (!whole || Number.isInteger(value))
    ? value
    : null;
}
