import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ProviderAdapter, ProviderPart, ProviderRequest } from "@benchtop/harness";
import type { LlamaPart } from "@benchtop/llama";
import { BenchtopError } from "@benchtop/protocol";
import { machineProvider } from "../machine-models.ts";
import { providerPartsOf } from "../runtimes/embedded/chat.ts";
import type { Fleet } from "../runtimes/embedded/fleet.ts";
import { loadGate, type Gate } from "./gate.ts";
import { plainQuestion } from "./question.ts";

/** What the model that comes with Benchtop is called: `benchtop/guide`. */
export const guideName = "guide";

/**
 * The guide: a model of a few million parameters that was trained on questions about Benchtop and knows nothing else. It is asked
 * the last question alone, since it was trained on single ones. Two gates outside it keep it from guessing: one that looks at
 * the question before it is asked, and one that looks at how sure it is of the first words of its answer. What does not pass
 * is answered with a refusal that says why; the words of the answer itself are always the model's own.
 */
export class Guide {
  readonly #fleet: Pick<Fleet, "chat">;
  readonly #folder: string;
  #gate: Promise<Gate> | undefined;

  constructor(fleet: Pick<Fleet, "chat">, folder: string) {
    this.#fleet = fleet;
    this.#folder = folder;
  }

  adapter(): ProviderAdapter {
    return { id: machineProvider, stream: (request, signal) => this.#answer(request, signal) };
  }

  async *#answer(request: ProviderRequest, signal: AbortSignal): AsyncGenerator<readonly ProviderPart[]> {
    const question = questionOf(request);
    yield [];
    const gate = await (this.#gate ??= this.#loadGate());
    if (!gate.decide(question).answers) {
      yield refusal();
      return;
    }
    const messages = [{ role: "user" as const, content: plainQuestion(question) }];
    const asked = { messages, temperature: 0, confidence: true };
    const limit = Math.min(request.maxOutputTokens ?? longestAnswer, longestAnswer);
    const held: LlamaPart[] = [];
    let isSure = false;
    for await (const parts of this.#fleet.chat(guideName, { ...asked, maxOutputTokens: limit }, signal)) {
      if (isSure) {
        yield providerPartsOf(parts);
        continue;
      }
      held.push(...parts);
      const ended = held.some(({ type }) => type === "finish");
      if (held.filter(({ type }) => type === "text").length < firstWords && !ended) continue;
      if (sureness(held) < leastSureness) {
        yield refusal();
        return;
      }
      isSure = true;
      yield providerPartsOf(held);
    }
  }

  async #loadGate(): Promise<Gate> {
    try {
      return loadGate(await readFile(join(this.#folder, "gate.json"), "utf8"));
    } catch (thrown) {
      this.#gate = undefined;
      throw BenchtopError.from(thrown, "FILE_READ_FAILED", { phase: "settings" });
    }
  }
}

/** Tokens; its answers are a few sentences. */
const longestAnswer = 160;

/** Parts of an answer that are held back until it is known how sure the model is of them. A tenth of a second at most. */
const firstWords = 12;

/** The least mean log-probability of those; chosen on every fifth of the held-out questions, by which nothing is scored. */
const leastSureness = -0.08;

/** The mean log-probability of the first words of an answer under the model. */
export function sureness(parts: readonly LlamaPart[]): number {
  const known = parts
    .flatMap((part) => (part.type === "text" && part.logProbability !== undefined ? part.logProbability : []))
    .slice(0, firstWords);
  return known.length === 0 ? 0 : known.reduce((sum, each) => sum + each, 0) / known.length;
}

function questionOf({ messages }: ProviderRequest): string {
  const last = messages.findLast(({ role }) => role === "user");
  return last?.role === "user" ? last.content.trim() : "";
}

function refusal(): ProviderPart[] {
  return [
    { type: "refusal", text: refusalText },
    { type: "usage", usage: { inputTokens: 0, outputTokens: 0 } },
    { type: "finish", reason: "content-filter" },
  ];
}

/** Said by Benchtop, not by the model. */
export const refusalText =
  "I do not know that. I am the guide: a tiny model that learnt questions about Benchtop and nothing else, and this one I would only guess at. " +
  "Ask it in other words, look it up in the documentation, or add a larger model: `benchtop models install` for one that runs here, " +
  "`benchtop providers add` for one elsewhere.";
