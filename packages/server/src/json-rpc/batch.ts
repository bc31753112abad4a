import { BenchtopError } from "@benchtop/protocol";
import { failed, type Outcome } from "./call-method.ts";

/** Calls of a batch that go on at once. */
const atOnce = 8;
/** Text of a batch's answers, after which no more is read for it. */
const maxAnswerText = 20_000_000;

/** What the calls of one batch share: their answers leave together, and are held until then. */
export class Batch {
  #answerText = 0;

  /** Carries the calls out, a few at a time, and gives what each comes to in their order. */
  async run<Item, Served extends { readonly answer: string | undefined }>(
    items: readonly Item[],
    serve: (item: Item, batch: Batch) => Promise<Served>,
  ): Promise<Served[]> {
    const served: Served[] = [];
    const places = items.entries();
    const worker = async (): Promise<void> => {
      for (const [place, item] of places) {
        served[place] = await serve(item, this);
        this.#answerText += served[place].answer?.length ?? 0;
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    return served;
  }

  /** The refusal of a read for which there is no room any more; changes are carried out all the same. */
  get refusal(): Outcome | undefined {
    if (this.#answerText <= maxAnswerText) return undefined;
    return failed(
      new BenchtopError("VALIDATION_FAILED", "The answers of this batch are too large. Ask for the rest in another.", {
        phase: "settings",
        detail: { max_bytes: maxAnswerText },
      }),
    );
  }
}
