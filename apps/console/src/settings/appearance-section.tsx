import { Radio } from "@base-ui/react/radio";
import { RadioGroup } from "@base-ui/react/radio-group";
import { Contrast, Monitor, Moon, Sun } from "lucide-react";
import { appearances, setAppearance, useAppearance, type Appearance } from "./appearance.ts";

const choices: Record<Appearance, { readonly label: string; readonly note: string; readonly icon: typeof Sun }> = {
  system: { label: "System", note: "As this computer is set", icon: Monitor },
  light: { label: "Light", note: "For bright rooms", icon: Sun },
  dark: { label: "Dark", note: "For dim rooms", icon: Moon },
  "high-contrast": { label: "High contrast", note: "Strong lines and text", icon: Contrast },
};

export function AppearanceSection() {
  const chosen = useAppearance();
  return (
    <section>
      <h2 className="text-lg font-semibold tracking-tight">Appearance</h2>
      <p className="text-sm text-muted">Kept in this browser. Motion follows the system’s setting.</p>
      <RadioGroup
        aria-label="Appearance"
        value={chosen}
        onValueChange={(value) => setAppearance(appearances.find((each) => each === value) ?? "system")}
        className="mt-3 grid gap-2.5 sm:grid-cols-2"
      >
        {appearances.map((appearance) => {
          const { label, note, icon: Icon } = choices[appearance];
          return (
            <label
              key={appearance}
              className="flex items-center gap-3 rounded-lg border border-line bg-raised px-3.5 py-3 shadow-raised hover:bg-hover has-data-checked:border-accent"
            >
              <Icon size={16} aria-hidden className="text-muted" />
              <span className="flex-1">
                <span className="block font-semibold">{label}</span>
                <span className="block text-sm text-muted">{note}</span>
              </span>
              <Radio.Root
                value={appearance}
                className="flex size-4 items-center justify-center rounded-full border border-line-strong data-checked:border-accent data-checked:bg-accent"
              >
                <Radio.Indicator className="size-1.5 rounded-full bg-on-accent" />
              </Radio.Root>
            </label>
          );
        })}
      </RadioGroup>
    </section>
  );
}
