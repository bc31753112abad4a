import { useId, useState } from "react";
import { client } from "../api/client.ts";
import { Button } from "../components/button.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatCount } from "../components/format.ts";
import { useAttempt } from "../components/use-attempt.ts";

interface Compared {
  readonly dimensions: number;
  readonly cached: number;
  readonly lines: readonly { readonly text: string; readonly similarity: number }[];
}

/** What a model that turns text into vectors is tried with: how near each line is to the first one. */
export function CompareTexts(props: { readonly model: string }) {
  const [text, setText] = useState("How do I publish a Draft?\nPublishing what was changed\nA recipe for bread");
  const [compared, setCompared] = useState<Compared>();
  const { busy, failure, attempt } = useAttempt();
  const id = useId();
  const texts = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const compare = () =>
    attempt(async () => {
      const { vectors, dimensions, cached } = await client.call("embeddings.create", { model: props.model, texts });
      const [first = []] = vectors;
      const lines = texts
        .slice(1)
        .map((line, index) => ({ text: line, similarity: dot(first, vectors[index + 1] ?? []) }));
      setCompared({ dimensions, cached, lines: lines.toSorted((a, b) => b.similarity - a.similarity) });
    });
  return (
    <section>
      <label htmlFor={id} className="mb-1 block text-sm font-semibold text-muted">
        Compare texts, one a line, with the first
      </label>
      <textarea id={id} className="field h-20! py-1.5" value={text} onChange={(event) => setText(event.target.value)} />
      <div className="mt-1.5 flex items-center gap-3">
        <Button
          size="small"
          busy={busy}
          disabledReason={texts.length < 2 ? "Write at least two lines." : undefined}
          onClick={() => void compare()}
        >
          Compare
        </Button>
        {compared !== undefined && (
          <span className="tabular text-sm text-muted">
            {formatCount(compared.dimensions, "dimension")}
            {compared.cached > 0 && ` · ${compared.cached} known from before`}
          </span>
        )}
      </div>
      {failure !== undefined && (
        <div className="mt-2">
          <ErrorNotice failure={failure} handlers={{ retry: compare }} />
        </div>
      )}
      {compared !== undefined && (
        <ol aria-label="Nearest first" className="tabular mt-2 flex flex-col gap-1">
          {compared.lines.map((line) => (
            <li key={line.text} className="flex gap-3">
              <span className="w-12 text-right font-medium">{line.similarity.toFixed(3)}</span>
              <span className="min-w-0 flex-1 truncate">{line.text}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

/** Of vectors of length 1 it is the cosine of their angle. */
function dot(left: readonly number[], right: readonly number[]): number {
  return left.reduce((sum, value, index) => sum + value * (right[index] ?? 0), 0);
}
