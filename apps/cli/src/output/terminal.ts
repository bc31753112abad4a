import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { styleText } from "node:util";
import { BenchtopError } from "@benchtop/protocol/errors";

/**
 * Where the command writes. Results go to standard output and nothing else does; activity, progress and errors go to
 * standard error. Colour only on a terminal, and not when `NO_COLOR` is set.
 */
export interface Terminal {
  readonly isInteractive: boolean;
  /** Standard error is a terminal: progress may be drawn over. */
  readonly isErrorTty: boolean;
  readonly width: number;
  readonly colours: Colours;
  readonly errorColours: Colours;
  write(text: string | Uint8Array): void;
  line(text?: string): void;
  writeError(text: string): void;
  errorLine(text?: string): void;
  /** Asks yes or no. Only where `isInteractive`. Ctrl-C and Ctrl-D mean no. */
  confirm(question: string): Promise<boolean>;
  /** Asks for one of several letters; `undefined` for Ctrl-C, Ctrl-D or anything else. */
  choose(question: string, letters: string): Promise<string | undefined>;
  /** Asks for something that nobody is to see: nothing of it is echoed. `undefined` for Ctrl-C and Ctrl-D. */
  secret(question: string): Promise<string | undefined>;
}

type Paint = (text: string) => string;

export interface Colours {
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly inverse: Paint;
}

export function openTerminal(options: { json: boolean; noInput?: boolean }): Terminal {
  const { stdin, stdout, stderr } = process;
  // A reader that went away (`| head`) is no failure of ours.
  for (const stream of [stdout, stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(0);
      throw error;
    });
  }
  const isInteractive = stdin.isTTY && stderr.isTTY && !options.json && process.env["CI"] === undefined;
  return {
    isInteractive,
    isErrorTty: stderr.isTTY && !options.json,
    width: stdout.columns ?? Infinity,
    colours: coloursOf(stdout),
    errorColours: coloursOf(stderr),
    write: (text) => void stdout.write(text),
    line: (text = "") => void stdout.write(`${text}\n`),
    writeError: (text) => void stderr.write(text),
    errorLine: (text = "") => void stderr.write(`${text}\n`),
    confirm: async (question) => (await ask(`${question} [y/N] `))?.toLowerCase().startsWith("y") ?? false,
    choose: async (question, letters) => {
      const answer = (await ask(`${question} `))?.trim().toLowerCase().charAt(0);
      return answer !== undefined && answer !== "" && letters.includes(answer) ? answer : undefined;
    },
    secret: async (question) => {
      // The terminal stops echoing before anybody is asked to type.
      const answer = ask("", new Writable({ write: (_chunk, _encoding, done) => done() }));
      stderr.write(`${question} `);
      const typed = await answer;
      stderr.write("\n");
      return typed;
    },
  };
}

async function ask(question: string, output: NodeJS.WritableStream = process.stderr): Promise<string | undefined> {
  const reader = createInterface({ input: process.stdin, output, terminal: process.stdin.isTTY });
  const closed = new Promise<undefined>((resolve) => reader.once("close", () => resolve(undefined)));
  try {
    return await Promise.race([reader.question(question), closed]);
  } catch (error) {
    if (BenchtopError.from(error).code === "USER_CANCELED") return undefined;
    throw error;
  } finally {
    reader.close();
  }
}

type Style = Parameters<typeof styleText>[0];

function coloursOf(stream: NodeJS.WriteStream): Colours {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  const plain = NO_COLOR !== undefined && NO_COLOR !== "";
  const forced = FORCE_COLOR !== undefined && FORCE_COLOR !== "0";
  const coloured = !plain && (forced || (stream.isTTY && TERM !== "dumb"));
  const style = (format: Style) => (text: string) =>
    coloured && text !== "" ? styleText(format, text, { validateStream: false }) : text;
  return {
    red: style("red"),
    green: style("green"),
    yellow: style("yellow"),
    cyan: style("cyan"),
    bold: style("bold"),
    dim: style("dim"),
    inverse: style("inverse"),
  };
}
