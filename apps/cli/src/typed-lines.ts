import { createInterface, type Interface } from "node:readline";
import { printable } from "./output/format.ts";

/**
 * Lines that a person types at a terminal, with editing and history. The terminal is taken over for one line at a time:
 * between them Ctrl-C is a signal, and somebody else may ask. A line that ends with a backslash goes on in the next.
 */
export class TypedLines {
  /** Newest first, as readline wants it. In memory alone: what was asked is in the journals. */
  #history: string[] = [];
  /** Lines that came at once, pasted. */
  readonly #waiting: string[] = [];
  /** The beginning of a line, typed before anybody asked for it. */
  #begun = "";
  #reader: Interface | undefined;

  /** What was typed, its lines joined; undefined for Ctrl-D, and for Ctrl-C where nothing was typed. */
  async next(): Promise<string | undefined> {
    const lines: string[] = [];
    for (;;) {
      const prompt = lines.length === 0 ? firstPrompt : "… ";
      const line = this.#pasted(prompt) ?? (await this.#read(prompt));
      if (line === undefined) return undefined;
      if (line === interrupted) {
        lines.length = 0;
        continue;
      }
      const goesOn = line.endsWith("\\");
      lines.push(goesOn ? line.slice(0, -1) : line);
      if (!goesOn) return lines.join("\n");
    }
  }

  /** As Ctrl-D does, for somebody who is waited for. */
  leave(): void {
    this.#reader?.close();
  }

  /** A line that waits is shown when its turn comes, so that one sees what is answered. */
  #pasted(prompt: string): string | undefined {
    const line = this.#waiting.shift();
    if (line !== undefined) process.stderr.write(`${prompt}${printable(line)}\n`);
    return line;
  }

  #read(prompt: string): Promise<string | typeof interrupted | undefined> {
    const reader = createInterface({
      input: process.stdin,
      output: process.stderr,
      terminal: true,
      history: [...this.#history],
      historySize: 500,
      removeHistoryDuplicates: true,
      prompt,
    });
    this.#reader = reader;
    return new Promise((resolve) => {
      let answer: string | typeof interrupted | undefined;
      reader.on("history", (history: string[]) => (this.#history = [...history]));
      reader.on("line", (line: string) => {
        this.#waiting.push(line);
        // Not at once: what was pasted comes as several lines, and all of them want to be heard.
        setImmediate(() => reader.close());
      });
      reader.on("SIGINT", () => {
        const typed = reader.line !== "" || prompt !== firstPrompt;
        if (typed) answer = interrupted;
        reader.close();
      });
      reader.once("close", () => {
        this.#reader = undefined;
        const line = this.#waiting.shift();
        this.#begun = line === undefined ? "" : reader.line;
        if (line === undefined) process.stderr.write("\n");
        resolve(line ?? answer);
      });
      reader.prompt();
      if (this.#begun !== "") reader.write(this.#begun);
    });
  }
}

const firstPrompt = "> ";

/** Ctrl-C in the middle of a line takes what was typed away, as a shell does. */
const interrupted = Symbol("interrupted");

/** The questions of a pipe: one a line, empty ones left out. A line that ends with a backslash goes on in the next. */
export async function* pipedLines(input: NodeJS.ReadableStream): AsyncGenerator<string> {
  const begun: string[] = [];
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    const goesOn = line.endsWith("\\");
    begun.push(goesOn ? line.slice(0, -1) : line);
    if (goesOn) continue;
    const question = begun.splice(0).join("\n");
    if (question.trim() !== "") yield question;
  }
  const rest = begun.join("\n");
  if (rest.trim() !== "") yield rest;
}
