import { ArrowUp, CornerDownRight, MessageCircle, Square, Wrench } from "lucide-react";
import { useEffect, useRef, useState, type ReactNode, type RefObject } from "react";
import { Button } from "../components/button.tsx";
import { Segmented } from "../components/segmented.tsx";
import { ModelPicker } from "../providers/model-picker.tsx";
import type { AskMode } from "./use-mode.ts";

const modes = {
  agent: {
    label: "Task for the agent",
    placeholder: "Ask for a change to these files…",
  },
  message: {
    label: "Message about the files",
    placeholder: "Ask about these files; changes are proposed with the answer…",
  },
} as const;

/** Where a person writes: a task or a message, or, while the agent works, a hint that it reads before its next turn. */
export function Composer(props: {
  readonly textRef: RefObject<HTMLTextAreaElement | null>;
  readonly mode: AskMode;
  readonly onMode: (mode: AskMode) => void;
  readonly model: string | undefined;
  readonly onModel: (model: string) => void;
  readonly running: boolean;
  /** The run waits for a decision: it reads nothing meanwhile. */
  readonly waiting: boolean;
  readonly sending: boolean;
  /** Why nothing can be asked now. */
  readonly gate: string | undefined;
  /** It is not known yet whether anything can be asked: what is sent meanwhile goes as soon as it can. */
  readonly settling: boolean;
  readonly onSend: (text: string) => Promise<boolean>;
  readonly onHint: (text: string) => Promise<boolean>;
  readonly onStop: () => void;
  readonly modelPickerOpen: boolean;
  readonly onModelPickerOpen: (open: boolean) => void;
  readonly meter?: ReactNode;
  readonly notice?: ReactNode;
  readonly draftKey: string;
}) {
  const { textRef, running, waiting, gate, settling, draftKey } = props;
  const mode = modes[props.mode];
  const [text, setText] = useState(() => sessionStorage.getItem(draftKey) ?? "");
  const busy = useRef(false);
  /** Asked to send while it was not known whether that is possible. */
  const wanted = useRef(false);
  useEffect(() => {
    sessionStorage.setItem(draftKey, text);
    const area = textRef.current;
    if (area === null) return;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, 220)}px`;
  }, [text, draftKey, textRef]);

  const empty = text.trim() === "";
  const send = async () => {
    wanted.current = settling && !empty;
    if (empty || busy.current || waiting || (gate !== undefined && !running)) return;
    wanted.current = false;
    busy.current = true;
    const taken = await (running ? props.onHint(text.trim()) : props.onSend(text.trim())).finally(() => {
      busy.current = false;
    });
    if (taken) setText("");
  };
  useEffect(() => {
    if (wanted.current && !settling) void send();
  });
  return (
    <div className="mx-auto w-full max-w-198 px-4 pt-1 pb-3">
      {props.notice}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
        className="rounded-xl border border-line-strong bg-raised shadow-raised transition-colors duration-(--quick) focus-within:border-accent"
      >
        <textarea
          ref={textRef}
          rows={1}
          value={text}
          aria-label={running ? "Hint for the running agent" : mode.label}
          placeholder={
            waiting
              ? "The run waits for your decision above."
              : running
                ? "Tell the agent something; it reads it before its next turn…"
                : mode.placeholder
          }
          onChange={(event) => {
            wanted.current = false;
            setText(event.target.value);
          }}
          onKeyDown={(event) => {
            // Out of the text, so that the keys of Review work again.
            if (event.key === "Escape") event.currentTarget.blur();
            if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
            event.preventDefault();
            void send();
          }}
          className="block w-full resize-none bg-transparent px-3.5 pt-3 pb-1 outline-none!"
        />
        <div className="flex flex-wrap items-center gap-x-1 gap-y-1.5 px-2 pb-2">
          <Segmented
            label="How it is asked"
            value={props.mode}
            onChange={props.onMode}
            options={[
              { value: "message", label: "Ask", icon: <MessageCircle size={12} aria-hidden /> },
              { value: "agent", label: "Work", icon: <Wrench size={12} aria-hidden /> },
            ]}
          />
          <ModelPicker
            value={props.model}
            onChange={props.onModel}
            open={props.modelPickerOpen}
            onOpenChange={props.onModelPickerOpen}
          />
          {props.meter}
          <span className="ml-auto flex gap-1.5">
            {running ? (
              <>
                <Button
                  size="small"
                  type="submit"
                  icon={<CornerDownRight size={13} aria-hidden />}
                  disabledReason={waiting ? "Decide above first." : empty ? "Write the hint first." : undefined}
                >
                  Hint
                </Button>
                <Button
                  size="small"
                  tone="danger"
                  icon={<Square size={11} aria-hidden fill="currentColor" />}
                  onClick={props.onStop}
                >
                  Stop
                </Button>
              </>
            ) : (
              <Button
                size="small"
                type="submit"
                tone="primary"
                busy={props.sending}
                icon={<ArrowUp size={14} aria-hidden />}
                disabledReason={gate ?? (empty ? "Write what should be done first." : undefined)}
              >
                Send
              </Button>
            )}
          </span>
        </div>
      </form>
    </div>
  );
}
