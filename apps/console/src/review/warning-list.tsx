import type { ReviewWarning } from "@benchtop/operations";
import { TriangleAlert } from "lucide-react";
import { useState } from "react";
import { formatCount } from "../components/format.ts";

const titles: Record<ReviewWarning["kind"], string> = {
  "csv-formula": "A cell that runs as a formula",
  "spoofed-text": "Text that looks like another",
  "external-reference": "Something from elsewhere",
  macro: "Holds a program",
  "invalid-utf8": "Not valid UTF-8",
  "long-line": "A very long line",
  unreadable: "Could not be read",
};

const shownAtFirst = 3;

/** What a person should look at before they agree, with the place where it is. */
export function WarningList(props: { readonly warnings: readonly ReviewWarning[] }) {
  const [all, setAll] = useState(false);
  const warnings = uniqueWarnings(props.warnings);
  if (warnings.length === 0) return null;
  const shown = all ? warnings : warnings.slice(0, shownAtFirst);
  return (
    <section
      aria-label="Warnings"
      className="max-h-44 shrink-0 overflow-y-auto border-b border-draft-line bg-draft-soft px-3 py-1.5 text-sm"
      {...(all && { tabIndex: 0 })}
    >
      <ul className="grid gap-0.5">
        {shown.map((warning, index) => (
          <li key={index} className="flex gap-2">
            <TriangleAlert size={14} aria-hidden className="mt-0.5 shrink-0 text-draft" />
            <span className="min-w-0 wrap-anywhere">
              <b className="font-semibold text-draft">{titles[warning.kind]}</b>
              {warning.where !== null && <span className="ml-1.5 font-mono text-xs">{warning.where}</span>}
              <span className="ml-1.5">{warning.message}</span>
            </span>
          </li>
        ))}
      </ul>
      {warnings.length > shownAtFirst && (
        <button
          type="button"
          className="mt-1 ml-5.5 rounded-sm font-medium text-draft underline underline-offset-2"
          onClick={() => setAll(!all)}
          aria-expanded={all}
        >
          {all ? "Show fewer" : `Show all ${formatCount(warnings.length, "warning")}`}
        </button>
      )}
    </section>
  );
}

/** Those of the name come with the list and with the diff. */
function uniqueWarnings(warnings: readonly ReviewWarning[]): ReviewWarning[] {
  return [...new Map(warnings.map((each) => [`${each.kind}\0${each.where}\0${each.message}`, each])).values()];
}
