import type { Colours, Terminal } from "../src/output/terminal.ts";

/** A terminal for tests of what is printed: nobody answers, and both streams are kept. */
export function recordedTerminal(
  options: { colour?: boolean; width?: number } = {},
): Terminal & { out: string; err: string } {
  const paint = (name: string) => (text: string) => (options.colour === true ? `<${name}>${text}</${name}>` : text);
  const colours = Object.fromEntries(
    ["red", "green", "yellow", "cyan", "bold", "dim", "inverse"].map((name) => [name, paint(name)]),
  ) as unknown as Colours;
  const terminal = {
    out: "",
    err: "",
    isInteractive: false,
    isErrorTty: false,
    width: options.width ?? 80,
    colours,
    errorColours: colours,
    write: (text: string | Uint8Array) => void (terminal.out += String(text)),
    line: (text = "") => void (terminal.out += `${text}\n`),
    writeError: (text: string) => void (terminal.err += text),
    errorLine: (text = "") => void (terminal.err += `${text}\n`),
    confirm: () => Promise.resolve(false),
    choose: () => Promise.resolve(undefined),
    secret: () => Promise.resolve(undefined),
  };
  return terminal;
}
