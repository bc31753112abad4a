import { useState } from "react";
import { useHighlighted } from "../code/tokens.ts";
import { Button } from "../components/button.tsx";
import { formatNumber } from "../components/format.ts";

const shownLines = 400;

/** JSON in colours. A long one is cut until somebody wants the whole of it. */
export function JsonText(props: { readonly text: string; readonly label?: string }) {
  const { text, label = "Body" } = props;
  const [whole, setWhole] = useState(false);
  const lines = text.split("\n");
  const cut = !whole && lines.length > shownLines;
  const shown = cut ? lines.slice(0, shownLines) : lines;
  const highlighted = useHighlighted(text, "answer.json");
  return (
    <div>
      <pre
        tabIndex={0}
        role="region"
        aria-label={label}
        className="max-h-[70vh] overflow-auto rounded-lg border border-line bg-sunken p-3 text-xs leading-5 whitespace-pre"
      >
        <code>
          {shown.map((line, index) => (
            <span key={index}>
              {highlighted?.[index]?.map((token, place) => (
                <span key={place} className={token.style}>
                  {token.text}
                </span>
              )) ?? line}
              {"\n"}
            </span>
          ))}
        </code>
      </pre>
      {cut && (
        <Button size="small" tone="quiet" className="mt-1" onClick={() => setWhole(true)}>
          Show {formatNumber(lines.length - shownLines)} more lines
        </Button>
      )}
    </div>
  );
}
