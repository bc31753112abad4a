import type { LibraryHandle } from "koffi";
import type { Koffi } from "./library.ts";

/** What llama.cpp says. It has one log for the whole process. */
export interface NativeLog {
  /** `onLine` gets whole lines; `onText` gets the line so far whenever something was added to it. */
  listen(onLine: (line: string) => void, onText?: (line: string) => void): Disposable;
  /** What it said first of an error since `listen`, fit for a message; empty if nothing. What follows are consequences. */
  firstError(): string;
}

export function listenToLog(koffi: Koffi, llama: LibraryHandle): NativeLog {
  const listener = koffi.proto("void llama_log_listener(int level, const char *text, void *data)");
  const setLog = llama.func("llama_log_set", "void", [koffi.pointer(listener), "void *"]);
  let line = "";
  let error = "";
  let onLine: ((line: string) => void) | undefined;
  let onText: ((line: string) => void) | undefined;
  setLog(
    koffi.register((level: number, text: string | null) => {
      if (level === errorLevel && error === "" && text !== null) error = text.trim();
      line = (line + (text ?? "")).slice(-maxLine);
      if (!line.endsWith("\n")) {
        onText?.(line);
        return;
      }
      for (const each of line.split("\n")) onLine?.(each);
      line = "";
    }, koffi.pointer(listener)),
    null,
  );
  return {
    listen(toLine, toText) {
      [onLine, onText, line, error] = [toLine, toText, "", ""];
      return {
        [Symbol.dispose]() {
          onLine = undefined;
          onText = undefined;
        },
      };
    },
    firstError: () => readable(error),
  };
}

const errorLevel = 4;
/** Tensors and keys of a hostile file are told as well. */
const maxLine = 64 * 1024;

/** `llama_model_quantize: failed to quantize: tensor …` is told as `tensor …`, without what a terminal would obey. */
function readable(error: string): string {
  return error
    .replace(/^\w+: (?:failed to \w+: )?(?:error loading model(?: \w+)?: )*/, "")
    .replace(/\p{Cc}+/gu, " ")
    .trim()
    .slice(0, 300);
}
