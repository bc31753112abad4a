import { join } from "node:path";
import { startLlamaModel } from "@benchtop/llama";
import { Guide, refusalText } from "../../packages/models/src/guide/guide.ts";
import { guideFolder, readHeldOut, readOutside, readTopics } from "./examples.ts";

/** How the guide does on questions that nothing of it was made from. Shares of 0 to 1. */
export interface GuideScore {
  readonly heldOut: {
    readonly questions: number;
    /** The answer of the question's topic, word for word. */
    readonly right: number;
    /** Another answer, as if it were sure: what must not happen. */
    readonly wrong: number;
    /** "I do not know that." */
    readonly refused: number;
  };
  /** Questions that it must not answer. */
  readonly outside: { readonly questions: number; readonly refused: number };
  readonly outsideByKind: Readonly<Record<string, { readonly questions: number; readonly refused: number }>>;
}

/** Asks the guide by the way of every chat: its two gates, and llama.cpp in a process of its own. */
export async function scoreGuide(options: { readonly folder?: string } = {}): Promise<{
  score: GuideScore;
  wrong: string[];
}> {
  const folder = options.folder ?? guideFolder;
  const signal = new AbortController().signal;
  const modelPath = join(folder, "guide.gguf");
  const model = await startLlamaModel({ modelPath, contextTokens: 256, threads: 1, gpuLayers: 0 }, signal);
  try {
    const fleet = {
      chat: async function* (_name: string, request: Parameters<typeof model.chat>[0], until: AbortSignal) {
        yield* model.chat(request, until);
      },
    };
    const adapter = new Guide(fleet, folder).adapter();
    const ask = async (question: string): Promise<string> => {
      let text = "";
      const request = { modelId: "guide", messages: [{ role: "user" as const, content: question }] };
      for await (const parts of adapter.stream(request, signal)) {
        for (const part of parts) if (part.type === "text" || part.type === "refusal") text += part.text;
      }
      return text.trim();
    };
    return await scored(ask);
  } finally {
    await model.close();
  }
}

const share = (count: number, all: number): number => Number((count / all).toFixed(4));

async function scored(ask: (question: string) => Promise<string>) {
  const answers = new Map(readTopics().map(({ id, answer }) => [id, answer]));
  const wrong: string[] = [];
  const counts = { right: 0, wrong: 0, refused: 0 };
  const heldOut = readHeldOut();
  for (const { question, topic } of heldOut) {
    const said = await ask(question);
    if (said === refusalText) counts.refused += 1;
    else if (said === answers.get(topic)) counts.right += 1;
    else {
      counts.wrong += 1;
      wrong.push(`${question} => ${said}`);
    }
  }
  const outside = readOutside().filter(({ split }) => split === "test");
  const byKind: Record<string, { questions: number; refused: number }> = {};
  for (const { question, kind } of outside) {
    const said = await ask(question);
    const of = (byKind[kind] ??= { questions: 0, refused: 0 });
    of.questions += 1;
    if (said === refusalText) of.refused += 1;
    else wrong.push(`[${kind}] ${question} => ${said}`);
  }
  const refused = Object.values(byKind).reduce((sum, each) => sum + each.refused, 0);
  const score: GuideScore = {
    heldOut: {
      questions: heldOut.length,
      right: share(counts.right, heldOut.length),
      wrong: share(counts.wrong, heldOut.length),
      refused: share(counts.refused, heldOut.length),
    },
    outside: { questions: outside.length, refused: share(refused, outside.length) },
    outsideByKind: byKind,
  };
  return { score, wrong };
}
