/** How a model call goes. Everything is optional: the plain behaviour works through the task and answers at once. */
export interface Behaviour {
  /** Refuse with this HTTP status. */
  readonly status?: number;
  readonly code?: string;
  readonly message?: string;
  readonly retryAfterSeconds?: number;
  /** Refuse each distinct request only the first time. */
  readonly once?: boolean;
  readonly tokenDelayMs?: number;
  readonly firstTokenDelayMs?: number;
  /** Cut the connection after so many frames of the stream. */
  readonly disconnectAfterFrames?: number;
  /** Try to leave the workbench with every tool there is. */
  readonly malicious?: boolean;
  /** Ask for tools without end. */
  readonly restless?: boolean;
  /** Wrap tool arguments in text that is not JSON. */
  readonly brokenArguments?: boolean;
  /** Answer with nothing at all. */
  readonly silent?: boolean;
}

/** Behaviours by model name, so that a script can choose one with `--model NAME/slow`. */
const byModel: Readonly<Record<string, Behaviour>> = {
  "gpt-5.2": {},
  "gpt-5.2-mini": {},
  slow: { tokenDelayMs: 50 },
  hesitant: { firstTokenDelayMs: 60_000 },
  "rate-limited": {
    status: 429,
    code: "rate_limit_exceeded",
    message: "Rate limit reached. Please try again later.",
    retryAfterSeconds: 2,
  },
  "rate-limited-once": {
    status: 429,
    code: "rate_limit_exceeded",
    message: "Rate limit reached. Please try again later.",
    retryAfterSeconds: 0,
    once: true,
  },
  broken: { status: 500, code: "server_error", message: "The server had an error while processing your request." },
  "too-long": {
    status: 400,
    code: "context_length_exceeded",
    message: "This model's maximum context length is 8192 tokens.",
  },
  disconnects: { disconnectAfterFrames: 6 },
  malicious: { malicious: true },
  restless: { restless: true },
  garbled: { brokenArguments: true },
  silent: { silent: true },
};

export const knownModels: readonly string[] = Object.keys(byModel);

export function behaviourOf(model: string): Behaviour {
  return byModel[model] ?? {};
}
