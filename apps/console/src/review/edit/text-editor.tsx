import { useEffect, useId, useLayoutEffect, useRef, useState, type KeyboardEvent } from "react";

const lineHeight = 19;
const padding = 8;

/** A plain editor for text: line numbers, indentation, and the browser's own undo, selection and spelling off. */
export function TextEditor(props: {
  readonly value: string;
  readonly label: string;
  readonly readOnly?: boolean;
  readonly autoFocus?: boolean;
  readonly onChange: (value: string) => void;
  readonly onSave: () => void;
}) {
  const { value, label, onChange, onSave } = props;
  const area = useRef<HTMLTextAreaElement>(null);
  const noteId = useId();
  const [view, setView] = useState({ top: 0, height: 0 });
  // After Escape the Tab key leaves the field, as it does everywhere else.
  const leaving = useRef(false);
  const lines = countLines(value);
  useLayoutEffect(() => {
    const element = area.current;
    if (element === null) return undefined;
    const look = () => setView({ top: element.scrollTop, height: element.clientHeight });
    look();
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (props.autoFocus !== true) return;
    area.current?.focus();
    area.current?.setSelectionRange(0, 0);
    area.current?.scrollTo({ top: 0 });
  }, [props.autoFocus]);
  const first = Math.max(0, Math.floor((view.top - padding) / lineHeight));
  const count = Math.min(lines - first, Math.ceil(view.height / lineHeight) + 2);

  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
      event.preventDefault();
      onSave();
      return;
    }
    const wasLeaving = leaving.current;
    leaving.current = event.key === "Escape";
    if (event.ctrlKey || event.metaKey || event.altKey || props.readOnly === true) return;
    if (event.key === "Tab" && !wasLeaving) {
      event.preventDefault();
      if (event.shiftKey) outdent(event.currentTarget);
      else insert(indentOf(event.currentTarget.value));
    } else if (event.key === "Enter" && !event.shiftKey) {
      const { value: text, selectionStart } = event.currentTarget;
      const line = text.slice(text.lastIndexOf("\n", selectionStart - 1) + 1, selectionStart);
      const space = /^[ \t]+/.exec(line)?.[0];
      if (space === undefined) return;
      event.preventDefault();
      insert(`\n${space}`);
    }
  };
  return (
    <div className="relative flex min-h-0 flex-1 bg-raised font-mono text-sm leading-[19px]">
      <div
        aria-hidden
        className="tabular relative w-13 shrink-0 overflow-hidden border-r border-line bg-sunken text-right"
      >
        <div
          className="absolute inset-x-0 pr-2.5 text-xs leading-[19px] text-faint select-none"
          style={{ top: first * lineHeight + padding - view.top }}
        >
          {Array.from({ length: Math.max(0, count) }, (_, index) => (
            <div key={index}>{first + index + 1}</div>
          ))}
        </div>
      </div>
      <textarea
        ref={area}
        aria-label={label}
        aria-describedby={noteId}
        value={value}
        readOnly={props.readOnly}
        onChange={(event) => onChange(event.target.value)}
        onScroll={(event) => setView({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight })}
        onKeyDown={onKeyDown}
        spellCheck={false}
        autoCapitalize="off"
        autoCorrect="off"
        wrap="off"
        className="min-h-0 min-w-0 flex-1 resize-none overflow-auto bg-transparent px-3 py-2 whitespace-pre focus-visible:-outline-offset-2"
        style={{ tabSize: 4 }}
      />
      <span id={noteId} className="sr-only">
        Tab indents. Press Escape, then Tab, to leave the text. Control S saves.
      </span>
    </div>
  );
}

/** Types text at the cursor, so that the browser can undo it. */
function insert(text: string): void {
  document.execCommand("insertText", false, text);
}

/** Takes one step of indentation from the start of the line. */
function outdent(area: HTMLTextAreaElement): void {
  const { value, selectionStart } = area;
  const from = value.lastIndexOf("\n", selectionStart - 1) + 1;
  const found = /^(\t| {1,4})/.exec(value.slice(from, from + 4))?.[0];
  if (found === undefined) return;
  area.setSelectionRange(from, from + found.length);
  document.execCommand("delete");
  const back = Math.max(from, selectionStart - found.length);
  area.setSelectionRange(back, back);
}

/** Tabs where the text has them, else two spaces or four as its first indented line does. */
function indentOf(text: string): string {
  const found = /^(\t| +)\S/m.exec(text)?.[1];
  if (found === "\t") return "\t";
  return found !== undefined && found.length % 4 === 0 ? "    " : "  ";
}

function countLines(text: string): number {
  let count = 1;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}
