import { BenchtopError, type Contract, type Journal } from "@benchtop/protocol";
import { memoryJournal } from "../journal/memory.ts";
import type { ModelRef } from "../model/model.ts";
import type { ProviderAdapter, ProviderId } from "../provider/provider.ts";
import { Session, type SessionConfig } from "../session/session.ts";
import { ToolRegistry } from "../tools/registry.ts";
import type { Tool } from "../tools/tool.ts";

/**
 * Providers, tools and a journal, put together once and used for any number of conversations.
 *
 *     const harness = Harness.builder().provider(openaiResponses({ … })).build();
 *     const handle = await harness.session({ model: "openai/gpt-5.2" }).run("Hello").start();
 */
export class Harness {
  readonly journal: Journal;
  readonly tools: ToolRegistry;
  readonly contract: Contract;
  readonly #providers: ReadonlyMap<ProviderId, ProviderAdapter>;

  constructor(parts: {
    readonly providers: ReadonlyMap<ProviderId, ProviderAdapter>;
    readonly journal: Journal;
    readonly tools: ToolRegistry;
    readonly contract: Contract;
  }) {
    this.#providers = parts.providers;
    this.journal = parts.journal;
    this.tools = parts.tools;
    this.contract = parts.contract;
  }

  static builder(): HarnessBuilder {
    return new HarnessBuilder();
  }

  /** A conversation. Throws `PROVIDER_NOT_CONFIGURED` when no provider of this harness serves its model. */
  session(config: SessionConfig): Session {
    return new Session(this, config);
  }

  /** Throws `PROVIDER_NOT_CONFIGURED`. */
  providerOf(model: ModelRef): ProviderAdapter {
    const provider = this.#providers.get(model.providerId);
    if (provider) return provider;
    throw new BenchtopError("PROVIDER_NOT_CONFIGURED", `There is no provider "${model.providerId}". Add it first.`, {
      providerId: model.providerId,
      modelId: model.modelId,
    });
  }
}

export class HarnessBuilder {
  readonly #providers = new Map<ProviderId, ProviderAdapter>();
  readonly #tools: Tool[] = [];
  #journal: Journal | undefined;
  #contract: Contract = {};

  /** Adds a provider; a second one of the same id takes its place. */
  provider(adapter: ProviderAdapter): this {
    this.#providers.set(adapter.id, adapter);
    return this;
  }

  tools(tools: readonly Tool[]): this {
    this.#tools.push(...tools);
    return this;
  }

  /** Where runs are recorded; in memory when nothing is said. */
  journal(journal: Journal): this {
    this.#journal = journal;
    return this;
  }

  /** Ceilings of every run that does not set its own. */
  contract(contract: Contract): this {
    this.#contract = contract;
    return this;
  }

  /** Throws `VALIDATION_FAILED` when a tool cannot be used. */
  build(): Harness {
    return new Harness({
      providers: new Map(this.#providers),
      journal: this.#journal ?? memoryJournal(),
      tools: new ToolRegistry(this.#tools),
      contract: this.#contract,
    });
  }
}
