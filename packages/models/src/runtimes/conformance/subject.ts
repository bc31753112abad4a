import type { ModelRuntime } from "../runtime.ts";

/** A runtime with models in it, and what is known of them. */
export interface RuntimeSubject {
  readonly runtime: ModelRuntime;
  /** Nothing is loaded of it at first, where the runtime loads. */
  readonly model: string;
  /** Another one, where the runtime has several. */
  readonly other?: string;
  /** A model that makes vectors of so many numbers, and a text that is too long for it. */
  readonly embedder: { readonly model: string; readonly dimensions: number; readonly tooLong: string };
  readonly asks: {
    /** A question that is answered with this text, and ends. */
    readonly greeting: { readonly question: string; readonly answer: (model: string) => string };
    /** A question whose answer never ends, of this model or another. */
    readonly endless: { readonly model: string; readonly question: string };
    /** With the tool `look_up(word)`: one or more calls of it, with these arguments. */
    readonly tool: { readonly question: string; readonly arguments: readonly object[] };
    /** Answered with one of these texts under the grammar `root ::= "yes" | "no"`. */
    readonly grammar: string;
  };
  /** It serves the models that it was started with, whatever others of its kind can. */
  readonly keepsItsModels?: boolean;
  /** Answers that are computed now. */
  readonly busy: () => Promise<number> | number;
  /** Makes the next answer go wrong in a way that only servers can. */
  readonly misbehave?: (fault: ServerFault) => void;
  /** Nothing answers any more. For runtimes of servers; called last. */
  readonly shutDown?: () => Promise<void>;
}

export interface RuntimeCase {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/**
 * `loading`: refuses and asks to wait; `dies`: its connection breaks after the first words; `garbage`: sends no JSON; `impostor`:
 * another model answers; `page`: sends a web page.
 */
export type ServerFault = "loading" | "dies" | "garbage" | "impostor" | "page";
