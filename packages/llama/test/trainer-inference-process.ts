import { getLlama, type Token } from "node-llama-cpp";

/** What `trainer-inference.ts` asks. */
export interface InferenceRequest {
  readonly modelPath: string;
  readonly adapterPath?: string;
  /** To answer greedily, written as ChatML. */
  readonly questions?: readonly string[];
  readonly tokenize?: readonly string[];
  /** Tokens, and from which of them on the rest is judged. */
  readonly judge?: readonly { readonly tokens: readonly number[]; readonly from: number }[];
}

export interface InferenceReply {
  readonly answers: readonly string[];
  readonly tokens: readonly (readonly number[])[];
  /** Minus the logarithm of the probability of each judged token, summed. */
  readonly losses: readonly number[];
}

/** Runs a model as Benchtop runs it, through node-llama-cpp, in a process that may crash. */
process.once("message", (request: InferenceRequest) => {
  void infer(request).then(
    (reply) => process.send?.(reply, () => process.exit(0)),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});

async function infer(request: InferenceRequest): Promise<InferenceReply> {
  const llama = await getLlama({ build: "never", skipDownload: true, gpu: false, maxThreads: 1 });
  const model = await llama.loadModel({ modelPath: request.modelPath });
  const { adapterPath } = request;
  const context = await model.createContext({
    contextSize: 256,
    threads: 1,
    ...(adapterPath !== undefined && { lora: adapterPath }),
  });
  const sequence = context.getSequence();
  const answers: string[] = [];
  for (const question of request.questions ?? []) {
    await sequence.clearHistory();
    const special = (text: string): Token[] => model.tokenize(text, true);
    const prompt = [
      ...special("<|im_start|>"),
      ...model.tokenize(`user\n${question}`),
      ...special("<|im_end|>"),
      ...model.tokenize("\n"),
      ...special("<|im_start|>"),
      ...model.tokenize("assistant\n"),
    ];
    const answer: Token[] = [];
    for await (const token of sequence.evaluate(prompt, { temperature: 0 })) {
      if (model.isEogToken(token) || answer.length === 40) break;
      answer.push(token);
    }
    answers.push(model.detokenize(answer));
  }
  const losses: number[] = [];
  for (const { tokens, from } of request.judge ?? []) {
    await sequence.clearHistory();
    const given = await sequence.controlledEvaluate(
      tokens.slice(0, -1).map((token) => [token as Token, { generateNext: { probabilities: true } }]),
    );
    let loss = 0;
    for (let at = from; at < tokens.length; at += 1) {
      loss -= Math.log(given[at - 1]?.next.probabilities?.get(tokens[at] as Token) ?? 0);
    }
    losses.push(loss);
  }
  return { answers, tokens: (request.tokenize ?? []).map((text) => model.tokenize(text)), losses };
}
