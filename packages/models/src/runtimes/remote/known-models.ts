import { throwIfCanceled, unknownModel, type RuntimeModel } from "../runtime.ts";

/** How long a list is trusted for what may be asked. */
const trustedForMs = 10_000;

/** The models of a server, as it listed them last. */
export class KnownModels {
  readonly #providerId: string;
  readonly #read: (signal: AbortSignal) => Promise<readonly RuntimeModel[]>;
  #last: { readonly models: readonly RuntimeModel[]; readonly at: number } | undefined;

  constructor(providerId: string, read: (signal: AbortSignal) => Promise<readonly RuntimeModel[]>) {
    this.#providerId = providerId;
    this.#read = read;
  }

  async list(signal: AbortSignal): Promise<readonly RuntimeModel[]> {
    const models = await this.#read(signal);
    this.#last = { models, at: performance.now() };
    return models;
  }

  /** Throws `PROVIDER_NOT_CONFIGURED` for a model that is not there. */
  async status(model: string, signal: AbortSignal): Promise<RuntimeModel> {
    const found = (await this.list(signal)).find((one) => one.model === model);
    return found ?? this.#refuse(model);
  }

  /** The models, among them this one. Reads the list again when it is old or does not have it. */
  async having(model: string, signal: AbortSignal): Promise<readonly RuntimeModel[]> {
    throwIfCanceled(signal);
    const isTrusted = this.#last !== undefined && performance.now() - this.#last.at < trustedForMs;
    const known = isTrusted ? (this.#last?.models ?? []) : [];
    const models = known.some((one) => one.model === model) ? known : await this.list(signal);
    return models.some((one) => one.model === model) ? models : this.#refuse(model);
  }

  #refuse(model: string): never {
    throw unknownModel(
      this.#providerId,
      model,
      `${this.#providerId} does not have the model ${model}. Choose one of its list.`,
    );
  }
}
