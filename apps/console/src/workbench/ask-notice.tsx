import type { Failure } from "../api/client.ts";
import { Button } from "../components/button.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatCount } from "../components/format.ts";
import { editsIn, someOf } from "../conversation/take-back-dialogs.tsx";
import type { Ask } from "./use-ask.ts";
import type { ModelChoice } from "./use-model-choice.ts";

/** Above the field: why what was asked, hinted or chosen did not come about. */
export function AskNotice(props: {
  readonly ask: Ask;
  readonly choice: ModelChoice;
  readonly hintFailure: Failure | undefined;
  readonly onSwitchModel: () => void;
}) {
  const { ask, choice, hintFailure } = props;
  const { failure, failed } = ask;
  const edits = editsIn(failure);
  if (failure !== undefined) {
    return (
      <div className="mb-2">
        <ErrorNotice
          failure={failure}
          handlers={{
            ...(failed !== undefined && {
              retry: async () => void (await ask.ask({ ...failed, model: choice.model ?? failed.model })),
              grant_consent: async () => void (await ask.ask(failed)),
            }),
            switch_model: () => {
              ask.dismiss();
              props.onSwitchModel();
            },
          }}
        >
          {edits !== undefined && failed?.kind === "regenerate" && (
            <div className="mt-1 flex flex-wrap items-center gap-2">
              <span className="min-w-0 text-sm break-words text-muted">{someOf(edits.paths)}</span>
              <Button size="small" tone="danger" onClick={() => void ask.ask({ ...failed, discardEdits: true })}>
                Lose {formatCount(edits.count, "changed file")} and regenerate
              </Button>
              <Button size="small" tone="quiet" onClick={ask.dismiss}>
                Keep them
              </Button>
            </div>
          )}
        </ErrorNotice>
      </div>
    );
  }
  if (hintFailure !== undefined) {
    return (
      <div className="mb-2">
        <ErrorNotice failure={hintFailure} handlers={{ switch_model: props.onSwitchModel }} />
      </div>
    );
  }
  const { failed: model } = choice;
  if (choice.failure === undefined || model === undefined) return null;
  return (
    <div className="mb-2">
      <ErrorNotice
        failure={choice.failure}
        title={`The model was not switched to ${model}.`}
        handlers={{ retry: () => choice.choose(model), switch_model: props.onSwitchModel }}
      />
    </div>
  );
}
