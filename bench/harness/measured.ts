/** What is measured of a framework, in a process of its own that stays warm (`worker.ts`). */
export interface Measured {
  readonly name: string;
  /** Opens what it keeps its runs in, below this folder. */
  open(folder: string): Promise<Running>;
}

export interface Running {
  /** One streamed answer, each piece handed over as the framework hands it to an application. */
  answer(baseUrl: string, hear: (text: string) => void): Promise<void>;
  /** A run that calls the tool `noop` as often as its model asks; how often it was executed. */
  callTools(baseUrl: string): Promise<number>;
  /** Whether everything that was heard is kept, for who promises it. */
  check?(): Promise<string>;
  close(): Promise<void>;
}

export const toolDescription = "Does nothing.";
