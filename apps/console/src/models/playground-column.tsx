import { useState } from "react";
import { X } from "lucide-react";
import type { Failure } from "../api/client.ts";
import { IconButton } from "../components/button.tsx";
import type { ErrorHandlers } from "../components/error-actions.ts";
import { ErrorNotice } from "../components/error-notice.tsx";
import { ModelPicker } from "../providers/model-picker.tsx";
import { AnswerView } from "./answer-view.tsx";
import { guideRef } from "./guide.ts";

export interface Asked {
  readonly model: string;
  readonly runId: string | undefined;
  /** Why no run began. */
  readonly failure: Failure | undefined;
}

/** One model of the playground, and what it says. */
export function PlaygroundColumn(props: {
  readonly model: string;
  readonly asked: Asked | undefined;
  readonly handlersOf: (failure: Failure) => ErrorHandlers;
  readonly onModel: (model: string) => void;
  readonly onEnded: (runId: string) => void;
  readonly onRemove?: () => void;
}) {
  const { model, asked } = props;
  const [picking, setPicking] = useState(false);
  const handlersOf = (failure: Failure): ErrorHandlers => ({
    ...props.handlersOf(failure),
    switch_model: () => setPicking(true),
  });
  return (
    <section
      aria-label={model}
      className="flex min-h-48 min-w-0 flex-col rounded-lg border border-line bg-raised shadow-raised"
    >
      <header className="flex items-center gap-1 border-b border-line px-1.5 py-1.5">
        <ModelPicker value={model} onChange={props.onModel} open={picking} onOpenChange={setPicking} below />
        {props.onRemove !== undefined && (
          <IconButton label={`Take ${model} away`} size="small" className="ml-auto" onClick={props.onRemove}>
            <X size={14} aria-hidden />
          </IconButton>
        )}
      </header>
      <div className="flex flex-1 flex-col gap-3 px-3.5 py-3">
        {model === guideRef && (
          <p className="text-sm text-muted">
            A tiny model, trained on questions about Benchtop: it knows nothing else, and it runs here. The settings do
            not change what it says.
          </p>
        )}
        {asked === undefined && model !== guideRef && <p className="text-faint">Its answer comes here.</p>}
        {asked?.failure !== undefined && <ErrorNotice failure={asked.failure} handlers={handlersOf(asked.failure)} />}
        {asked?.runId !== undefined && (
          <AnswerView
            key={asked.runId}
            runId={asked.runId}
            model={model}
            handlersOf={handlersOf}
            onEnded={() => props.onEnded(asked.runId ?? "")}
          />
        )}
      </div>
    </section>
  );
}
