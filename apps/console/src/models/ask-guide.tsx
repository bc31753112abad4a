import { ArrowUp, BookOpenText } from "lucide-react";
import { useId, useState, type FormEvent } from "react";
import { client } from "../api/client.ts";
import { queryClient } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { useAttempt } from "../components/use-attempt.ts";
import { AnswerView } from "./answer-view.tsx";
import { guideRef, useGuide } from "./guide.ts";

const questions = ["What is Benchtop?", "How do I publish my changes?", "Where are my files kept?"];

/** A field that the guide answers, before anything is configured. Nothing where the guide is not there. */
export function AskGuide() {
  const isThere = useGuide();
  const [question, setQuestion] = useState("");
  const [asked, setAsked] = useState<{ readonly question: string; readonly runId: string }>();
  const [answering, setAnswering] = useState(false);
  const { busy, failure, attempt } = useAttempt();
  const id = useId();
  if (!isThere) return null;
  const ask = (text: string) =>
    attempt(async () => {
      const { runId } = await client.call("runs.start", { model: guideRef, prompt: text });
      setAsked({ question: text, runId });
      setAnswering(true);
      setQuestion("");
      await queryClient.invalidateQueries({ queryKey: ["runs.list"] });
    });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (question.trim() !== "" && !busy && !answering) void ask(question.trim());
  };
  const gate = answering
    ? "The guide answers. Stop it, or wait for its last word."
    : question.trim() === ""
      ? "Write a question first."
      : undefined;
  return (
    <section aria-label="The guide" className="rounded-lg border border-line bg-raised p-4 shadow-raised">
      <label htmlFor={id} className="flex items-center gap-2 font-semibold">
        <BookOpenText size={15} aria-hidden className="text-accent-ink" />
        Ask the guide
      </label>
      <p id={`${id}-note`} className="mt-0.5 text-sm text-muted">
        A tiny model that was trained on questions about Benchtop. It runs on this machine, needs no account, and knows
        nothing else; what it would only guess at, it does not answer.
      </p>
      <form
        onSubmit={submit}
        className="mt-3 flex items-center gap-1.5 rounded-lg border border-line-strong bg-surface p-1.5 pl-3 focus-within:border-accent"
      >
        <input
          id={id}
          aria-describedby={`${id}-note`}
          autoComplete="off"
          maxLength={500}
          value={question}
          onChange={(event) => setQuestion(event.target.value)}
          placeholder="How do I undo a publish?"
          className="min-w-0 flex-1 bg-transparent outline-none!"
        />
        <Button
          type="submit"
          size="small"
          tone="primary"
          busy={busy}
          icon={<ArrowUp size={14} aria-hidden />}
          disabledReason={gate}
        >
          Ask
        </Button>
      </form>
      {asked === undefined && failure === undefined && (
        <div className="mt-2 flex flex-wrap gap-1.5">
          {questions.map((each) => (
            <Button key={each} size="small" tone="quiet" className="border-line!" onClick={() => void ask(each)}>
              {each}
            </Button>
          ))}
        </div>
      )}
      {failure !== undefined && (
        <div className="mt-3">
          <ErrorNotice failure={failure} />
        </div>
      )}
      {asked !== undefined && (
        <div className="mt-3">
          <p className="mb-2 font-medium break-words">{asked.question}</p>
          <AnswerView key={asked.runId} runId={asked.runId} model={guideRef} onEnded={() => setAnswering(false)} />
        </div>
      )}
    </section>
  );
}
